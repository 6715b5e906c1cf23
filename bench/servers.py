"""Starts what is measured, on free ports of the loopback interface, and ends it again."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
import psutil

from bench.records import ProcessMemory

CORRAL: Final = "corral"
CORRAL_MODEL: Final = "smollm2:135m"
START_WAIT_S: Final = 120.0
STOP_WAIT_S: Final = 60.0
POLL_S: Final = 0.1
LOG_TAIL_LINES: Final = 20


class ServerFailed(Exception):
    """A server did not start; the message ends with the last lines of its log."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A running server: where it is, what it calls the model, and its first process."""

    name: str
    url: str
    model: str
    pid: int


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What every server of one level must offer alike."""

    slots: int
    context_tokens: int
    threads: int


def peer_flags(shape: Shape) -> dict[str, list[str]]:
    """The peer's command lines by name: with Corral's own choices, and with whatever it would choose itself."""
    common = [
        "--parallel", str(shape.slots), "--ctx-size", str(shape.slots * shape.context_tokens),
        "--threads", str(shape.threads), "--offline", "--no-webui",
    ]  # fmt: skip
    matched = ["--flash-attn", "off", "--no-kv-unified", "--batch-size", "512", "--ubatch-size", "512"]
    # Prompts never come twice, so saving them in RAM could only slow the peer down.
    return {"llama-server": [*common, *matched, "--cache-ram", "0"], "llama-server defaults": common}


def corral_environ(environ: Mapping[str, str], shape: Shape, *, home: Path, port: int) -> dict[str, str]:
    """The environment of a cluster of this shape; no setting of the user's own cluster reaches it."""
    return {
        **{name: value for name, value in environ.items() if not name.startswith("CORRAL_")},
        "CORRAL_HOME": str(home),
        "CORRAL_PORT": str(port),
        "CORRAL_WORKER_NUM_PARALLEL": str(shape.slots),
        "CORRAL_WORKER_CONTEXT_TOKENS": str(shape.context_tokens),
        "CORRAL_WORKER_THREADS": str(shape.threads),
        "CORRAL_WORKER_KEEP_ALIVE_S": "3600",
    }


@contextlib.asynccontextmanager
async def running_corral(session: aiohttp.ClientSession, shape: Shape, home: Path) -> AsyncIterator[Server]:
    """A cluster of one worker, its data in `home`, with the bundled model in its store."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "corral", "up", "--no-prompt"]
    environ = corral_environ(os.environ, shape, home=home, port=port)

    async def is_ready() -> bool:
        async with session.get(f"{url}/api/tags") as response:
            return response.status == 200 and CORRAL_MODEL in await response.text()

    async with running(command, environ, home / "corral-up.log", is_ready) as pid:
        yield Server(name=CORRAL, url=url, model=CORRAL_MODEL, pid=pid)


@contextlib.asynccontextmanager
async def running_peer(
    session: aiohttp.ClientSession, name: str, binary: Path, flags: Sequence[str], weights: Path, logs: Path
) -> AsyncIterator[Server]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(binary), "--model", str(weights), "--host", "127.0.0.1", "--port", str(port), *flags]

    async def is_ready() -> bool:
        async with session.get(f"{url}/health") as response:
            return response.status == 200

    log = logs / f"{name.replace(' ', '-')}.log"
    async with running(command, dict(os.environ), log, is_ready) as pid:
        yield Server(name=name, url=url, model="default", pid=pid)


def cpu_s(pid: int) -> float:
    """Processor time that the process and all its descendants have used."""
    return sum(sum(process.cpu_times()[:2]) for process in _tree(pid))


def memory(pid: int) -> list[ProcessMemory]:
    """What the process and its descendants hold, each named by what it runs."""
    found: list[ProcessMemory] = []
    for process in _tree(pid):
        info = process.memory_full_info()
        found.append(
            ProcessMemory(
                process=process_name(process.cmdline(), process.name()), resident_bytes=info.rss, unique_bytes=info.uss
            )
        )
    return found


def process_name(command: Sequence[str], binary: str) -> str:
    """A Python process is named by its module, any other by its binary."""
    if binary.startswith("python") and "-m" in command[:-1]:
        return command[command.index("-m") + 1]
    return binary


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


@contextlib.asynccontextmanager
async def running(
    command: Sequence[str], environ: Mapping[str, str], log: Path, is_ready: Callable[[], Awaitable[bool]]
) -> AsyncIterator[int]:
    with log.open("wb") as output:
        # In a session of its own: Ctrl-C is for the benchmark, which then ends its servers in order.
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            await _until_ready(process, log, is_ready)
            yield process.pid
        finally:
            await _stop(process)


async def _until_ready(process: asyncio.subprocess.Process, log: Path, is_ready: Callable[[], Awaitable[bool]]) -> None:
    deadline_s = time.monotonic() + START_WAIT_S
    while process.returncode is None and time.monotonic() < deadline_s:
        with contextlib.suppress(aiohttp.ClientError):
            if await is_ready():
                return
        await asyncio.sleep(POLL_S)
    raise ServerFailed(f"{log.stem} did not become ready:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:])


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask it to leave; what has not left in time is killed with all its children."""
    if process.returncode is not None:
        return
    children = _tree(process.pid)[1:]
    process.send_signal(signal.SIGINT)
    try:
        await asyncio.wait_for(process.wait(), STOP_WAIT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
