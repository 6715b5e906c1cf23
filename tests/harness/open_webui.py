"""A real Open WebUI on loopback, with the settings of the deployment."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from fakes.polling import until
from harness.cluster import free_port
from source import ROOT
from tools.client_rooms import OPEN_WEBUI

SETTINGS = ROOT / "deploy" / "open-webui" / "open-webui.env"
FIRST_START_S = 120
STOP_S = 20

# What the slim image says by itself.
OF_THE_IMAGE = {"ENV": "prod", "USE_SLIM_DOCKER": "true"}


def require_room() -> None:
    """Skips the calling test where Open WebUI was not furnished."""
    if not OPEN_WEBUI.stamp.exists():
        pytest.skip("Open WebUI is not installed (python -m tools.client_rooms open-webui)")


def variables_in(text: str) -> dict[str, str]:
    """What Compose reads from a file of variables."""
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


@dataclass(frozen=True)
class OpenWebUi:
    """`address` is host and port of the page behind nginx."""

    address: str
    process: psutil.Process

    @property
    def memory_bytes(self) -> int:
        resident: int = self.process.memory_info().rss
        return resident


@contextlib.asynccontextmanager
async def running_open_webui(
    folder: Path, *, gateway_url: str, public_url: str, own: Mapping[str, str]
) -> AsyncIterator[OpenWebUi]:
    """Serve for the length of the block, with its data and its log in `folder`."""
    port = free_port()
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "DATA_DIR": str(folder), **OF_THE_IMAGE}
    environ |= variables_in(SETTINGS.read_text(encoding="utf-8"))
    environ |= {"OLLAMA_BASE_URLS": gateway_url, "WEBUI_URL": public_url, "CORS_ALLOW_ORIGIN": public_url, **own}
    with (folder / "open-webui.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(OPEN_WEBUI.folder / "bin" / "open-webui"), "serve", "--host", "127.0.0.1", "--port", str(port),
            cwd=folder, env=environ, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        await until(lambda: _is_serving(process, port, folder), within_s=FIRST_START_S)
        yield OpenWebUi(f"127.0.0.1:{port}", psutil.Process(process.pid))
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), STOP_S)


async def _is_serving(process: asyncio.subprocess.Process, port: int, folder: Path) -> bool:
    """It listens when it has started, not before."""
    assert process.returncode is None, (folder / "open-webui.log").read_text(encoding="utf-8")[-4000:]
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
