"""The supervisor over real child processes: order, restarts, the orderly end, and the end by kill -9."""

import asyncio
import dataclasses
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from corral.up.command import free_ports
from corral.up.plan import Service
from corral.up.supervisor import ServiceFailed, Supervisor

HERE = Path(__file__).parent
PATIENCE_S = 20.0


class Journal:
    """What the stand-ins wrote down, as (event, name, pid)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[tuple[str, str, int]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [(event, name, int(pid)) for event, name, pid in (line.split() for line in lines)]

    def events(self) -> list[tuple[str, str]]:
        return [(event, name) for event, name, _ in self.entries()]

    def pids(self) -> list[int]:
        return [pid for _, _, pid in self.entries()]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


Make = Callable[..., Service]


@pytest.fixture
def make(tmp_path: Path, journal: Journal) -> Make:
    """Makes stand-in services."""

    def make_one(name: str, manner: str = "polite", *, by_socket: bool = False, stop_s: float = 10.0) -> Service:
        ready = str(tmp_path / f"{name}.sock") if by_socket else str(free_ports(1)[0])
        return Service(
            name=name,
            argv=(sys.executable, str(HERE / "stand_in.py"), name, ready, str(journal.path), manner),
            env=dict(os.environ),
            stop_s=stop_s,
            ready_url="" if by_socket else f"http://127.0.0.1:{ready}/readyz",
            ready_socket=ready if by_socket else "",
        )

    return make_one


class Stage:
    """A supervisor under test and what it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.supervisors: list[Supervisor] = []

    def supervisor(self, *stages: tuple[Service, ...]) -> Supervisor:
        made = Supervisor(stages, self.folder, self.said.append, delay_s=lambda _deaths: 0.01)
        self.supervisors.append(made)
        return made


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(tmp_path)
    yield made
    for supervisor in made.supervisors:
        await supervisor.stop()


async def eventually(condition: Callable[[], bool]) -> None:
    """Processes end without telling us, so this looks again and again, within a bound."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_stages_start_in_order_and_stop_in_reverse(stage: Stage, make: Make, journal: Journal) -> None:
    supervisor = stage.supervisor(
        (make("store", by_socket=True),), (make("worker-1"), make("worker-2")), (make("door"),)
    )
    await supervisor.start()
    await supervisor.stop()
    events = journal.events()
    assert [events[0], events[3]] == [("started", "store"), ("started", "door")]
    assert set(events[1:3]) == {("started", "worker-1"), ("started", "worker-2")}
    assert [events[4], events[7]] == [("stopped", "door"), ("stopped", "store")]
    assert all(is_gone(pid) for pid in journal.pids())


async def test_a_service_that_dies_is_started_again_and_the_user_told(
    stage: Stage, make: Make, journal: Journal
) -> None:
    supervisor = stage.supervisor((make("door"),))
    await supervisor.start()
    watching = asyncio.create_task(supervisor.keep_running())
    os.kill(journal.pids()[0], signal.SIGKILL)
    await eventually(lambda: any(text == "door is back" for text in stage.said))
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert journal.events() == [("started", "door"), ("started", "door")]
    assert any("door ended with signal SIGKILL; starting it again" in text for text in stage.said)


async def test_what_a_dead_service_had_started_goes_with_it(stage: Stage, make: Make, journal: Journal) -> None:
    supervisor = stage.supervisor((make("worker", "parent"),))
    await supervisor.start()
    watching = asyncio.create_task(supervisor.keep_running())
    worker, child = (
        next(pid for event, name, pid in journal.entries() if (event, name) == ("started", wanted))
        for wanted in ("worker", "child")
    )
    os.kill(worker, signal.SIGKILL)
    await eventually(lambda: is_gone(child))
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_service_that_cannot_start_is_shown_with_the_end_of_its_log(stage: Stage, make: Make) -> None:
    supervisor = stage.supervisor((make("door", "stillborn"),))
    with pytest.raises(ExceptionGroup) as caught:
        await supervisor.start()
    failure = caught.value.exceptions[0]
    assert isinstance(failure, ServiceFailed)
    assert "door ended with exit code 3 before it was ready" in str(failure)
    assert "the cupboard is bare" in str(failure)


async def test_a_program_that_is_missing_is_named(stage: Stage, make: Make) -> None:
    supervisor = stage.supervisor((dataclasses.replace(make("door"), argv=("/no/such/program",)),))
    with pytest.raises(ExceptionGroup, match="unhandled errors") as caught:
        await supervisor.start()
    assert "door cannot be started" in str(caught.value.exceptions[0])


async def test_a_service_that_will_not_leave_is_killed_after_its_time(
    stage: Stage, make: Make, journal: Journal
) -> None:
    supervisor = stage.supervisor((make("door", "stubborn", stop_s=0.2),))
    await supervisor.start()
    await supervisor.stop()
    assert is_gone(journal.pids()[0])
    assert "door did not leave within 0.2 s and was killed" in stage.said


def write_stages(folder: Path, *services: Service) -> None:
    stages = [[{k: v for k, v in dataclasses.asdict(s).items() if k != "env"}] for s in services]
    (folder / "stages.json").write_text(json.dumps(stages))


async def run_supervised(folder: Path, *services: Service) -> asyncio.subprocess.Process:
    """A supervisor in a process of its own, once everything runs."""
    write_stages(folder, *services)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "supervised.py"),
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        # The tests themselves may run under nohup, and a supervisor honours that.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        while (await process.stdout.readline()).strip() != b"greeting":
            assert process.returncode is None
    return process


async def test_a_start_that_fails_takes_down_what_already_ran(tmp_path: Path, make: Make, journal: Journal) -> None:
    services = (make("store", by_socket=True), make("door", "stillborn"))
    write_stages(tmp_path, *services)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "supervised.py"),
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert "door ended with exit code 3 before it was ready" in errors.decode()
    assert journal.events() == [("started", "store"), ("stopped", "store")]


async def test_nothing_outlives_a_supervisor_that_was_killed(tmp_path: Path, make: Make, journal: Journal) -> None:
    process = await run_supervised(tmp_path, make("store", by_socket=True), make("worker", "stubborn"), make("door"))
    process.kill()
    await process.communicate()
    await eventually(lambda: all(is_gone(pid) for pid in journal.pids()))
    assert len(journal.pids()) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_everything_in_order(
    tmp_path: Path, make: Make, journal: Journal, number: signal.Signals
) -> None:
    process = await run_supervised(tmp_path, make("store", by_socket=True), make("door"))
    process.send_signal(number)
    async with asyncio.timeout(PATIENCE_S):
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert output.decode().splitlines()[-1] == "Corral has stopped."
    assert journal.events()[2:] == [("stopped", "door"), ("stopped", "store")]


async def test_a_second_signal_ends_everything_at_once(tmp_path: Path, make: Make, journal: Journal) -> None:
    process = await run_supervised(tmp_path, make("door", "stubborn", stop_s=PATIENCE_S * 10))
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        while (await process.stdout.readline()).strip() != b"stopping door":
            assert process.returncode is None
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert is_gone(journal.pids()[0])
