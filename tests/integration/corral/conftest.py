"""The command line as a test runs it, against an address of its choice."""

import asyncio
import io
from collections.abc import Awaitable, Callable

import pytest

from corral.__main__ import main

RunCorral = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run_corral(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunCorral:
    """Runs the command line against the cluster at an address; returns exit code, stdout and stderr."""
    monkeypatch.setenv("CORRAL_API_KEY", "corral_mine")

    async def run(address: str, *arguments: str, piped: str | bytes = "") -> tuple[int, str, str]:
        monkeypatch.setenv("CORRAL_HOST", address)
        content = piped if isinstance(piped, bytes) else piped.encode()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        code = await asyncio.to_thread(main, arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
