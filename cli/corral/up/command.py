"""`corral up` from beginning to end: checks, the supervisor, the greeting, the orderly end."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

import httpx

from corral.errors import CliError
from corral.up import bundled, first_prompt
from corral.up.plan import LOOPBACK, Machine, UpSettings, settings_from, stages
from corral.up.supervisor import Supervisor

SOCKET_FOLDER_PREFIX: Final = "corral-"
KEY_VARIABLES: Final = ("CORRAL_API_KEY", "CORRAL_GATEWAY_ADMIN_KEY", "CORRAL_ADMIN_KEY")


def say(text: str) -> None:
    print(text, flush=True)


def run_cluster(environ: Mapping[str, str], *, ask: bool) -> int:
    """Run a cluster on this machine until a signal ends it; returns the exit code.

    Raises: CliError when it cannot start; nothing is left running then.
    """
    bundled.require_services()
    settings = settings_from(environ, Path.home())
    for folder in ("models", "redis", "cache", "logs"):
        (settings.home / folder).mkdir(parents=True, exist_ok=True)
    with exclusive(settings.home) as lock, private_folder(lock) as sockets:
        require_free(settings.port)
        machine = Machine(
            python=sys.executable,
            valkey=str(bundled.valkey_binary()),
            socket=f"{sockets}/redis.sock",
            cores_count=len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            ports=free_ports(1 + settings.workers_count),
        )
        supervisor = Supervisor(stages(settings, machine, environ), settings.home / "logs", say)
        say(f"Starting Corral; data in {settings.home}, logs in {settings.home / 'logs'}")
        asyncio.run(supervise_until_signal(supervisor, lambda: greet(settings, environ, ask=ask)))
    return 0


@contextlib.contextmanager
def exclusive(home: Path) -> Iterator[TextIO]:
    """Hold the data folder for this cluster alone; the kernel lets go of it however the process ends.

    Raises: CliError when another cluster has it.
    """
    with (home / "lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            raise CliError(
                f"another 'corral up' already runs on the data in {home}; stop it, or set CORRAL_HOME and CORRAL_PORT"
            ) from cause
        yield lock


@contextlib.contextmanager
def private_folder(lock: TextIO) -> Iterator[str]:
    """A folder of mode 0700 with a path short enough for Unix sockets, removed at the end.

    Its path is written into the lock file, so that the next cluster can remove it after a supervisor that was killed.
    """
    lock.seek(0)
    leftover = Path(lock.read().strip())
    if leftover.parent == Path(tempfile.gettempdir()) and leftover.name.startswith(SOCKET_FOLDER_PREFIX):
        shutil.rmtree(leftover, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=SOCKET_FOLDER_PREFIX)
    lock.truncate(0)
    lock.write(folder)
    lock.flush()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require_free(port: int) -> None:
    """Raises: CliError when something listens on the port or it may not be used."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as cause:
            raise CliError(f"port {port} needs more rights than you have; choose another with CORRAL_PORT") from cause
        except OSError as cause:
            raise CliError(
                f"port {port} is already in use on {LOOPBACK} (by Ollama, or another Corral?); "
                f"stop what uses it or choose another, as in CORRAL_PORT={port + 1 if port < 65_535 else 11435}"
            ) from cause


def free_ports(count: int) -> tuple[int, ...]:
    """Different ports of the loopback interface that nobody uses now."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return tuple(probe.getsockname()[1] for probe in probes)


async def supervise_until_signal(supervisor: Supervisor, greet: Callable[[], Awaitable[None]]) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then drain; a second signal ends everything at once."""
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            supervisor.kill()
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup a hangup is to be ignored, and stays so.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, on_signal)
    serving = asyncio.create_task(serve(supervisor, greet))
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
    except* CliError as failures:
        raise first_of(failures) from None
    finally:
        for task in (serving, stopped):
            task.cancel()
        await asyncio.gather(serving, stopped, return_exceptions=True)
        say("\nStopping once open replies have ended; a second Ctrl-C ends them now.")
        await supervisor.stop()
        say("Corral has stopped.")


def first_of(failures: ExceptionGroup[CliError]) -> CliError:
    """The first failure of a stage; the others are mostly its echoes."""
    found: Exception = failures
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, CliError)
    return found


async def serve(supervisor: Supervisor, greet: Callable[[], Awaitable[None]]) -> None:
    """Start everything, greet once all is ready, and keep it running until cancelled."""
    await supervisor.start()
    async with asyncio.TaskGroup() as running:
        running.create_task(supervisor.keep_running())
        await greet()


async def greet(settings: UpSettings, environ: Mapping[str, str], *, ask: bool) -> None:
    """Show that the cluster works; a failure here is told and leaves the cluster running."""
    url = f"http://{LOOPBACK}:{settings.port}"
    key = next((environ[name] for name in KEY_VARIABLES if environ.get(name)), "")
    try:
        async with first_prompt.connect(url, key) as http:
            if weights := bundled.model_file():
                await first_prompt.ensure_model(http, weights)
                if ask:
                    await first_prompt.ask(http)
    except (CliError, httpx.HTTPError) as failure:
        say(f"\nThe first request failed: {failure}")
    say(first_prompt.how_to_go_on(url))
