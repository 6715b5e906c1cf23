"""The whole deployment in containers. Runs with `make e2e`, where a Docker engine answers."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest

from harness.cluster import MODEL
from harness.compose import Stack, build_images, engine_problem, new_stack

_MEASURED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_MEASURED] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash[_MEASURED]:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(lines))


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> list[str]:
    """Lines that are shown when all tests have run: figures to be read, not judged."""
    return pytestconfig.stash[_MEASURED]


@pytest.fixture(scope="session")
def stack(measured: list[str]) -> Iterator[Stack]:
    """The project after its first start."""
    if problem := engine_problem():
        pytest.skip(problem)
    build_images()
    with tempfile.TemporaryDirectory(prefix="corral-compose-") as folder:
        running = new_stack(Path(folder))
        try:
            started_s = time.monotonic()
            running.compose("up", "-d", "--wait")
            measured.append(f"from nothing but images to healthy: {time.monotonic() - started_s:.0f} s")
            yield running
        finally:
            running.compose("down", "--volumes", "--timeout", "5")


@pytest.fixture(scope="session")
def model(stack: Stack, model_file: Path) -> str:
    """The bundled model, uploaded through the front door."""
    headers = {"Authorization": f"Bearer {stack.secret('admin_key')}"}
    admin = ollama.Client(host=stack.url, headers=headers, verify=stack.trust(), timeout=120)
    digest = admin.create_blob(model_file)
    assert admin.create(MODEL, files={"model.gguf": digest}).status == "success"
    admin.close()  # type: ignore[no-untyped-call]
    return MODEL


@pytest.fixture(scope="session")
def key(stack: Stack) -> str:
    """A user's API key."""
    return stack.user_key("alice")
