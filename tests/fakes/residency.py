"""A residency manager with runners that have no process, and an observer that remembers."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp

from fakes.clock import FakeClock
from fakes.runner import FakeRunner
from services.worker.llama.params import LlamaParams
from services.worker.residency.blobs import LocalBlobs
from services.worker.residency.manager import Lease, Limits, Residency
from services.worker.residency.resident import Resident
from services.worker.residency.sizes import Footprint
from services.worker.runner.messages import Open, SetThreads, StepDone
from shared.cluster_state import Device
from shared.digest import Digest
from shared.errors import ModelLoadFailed
from shared.model_index import ModelDetails, ModelEntry
from shared.model_name import parse_model_name
from shared.registry_client import RegistryClient

KEEP_ALIVE_S = 300.0
ROOM = Footprint(host_bytes=10 << 30)


class ResidencyHarness:
    """A residency, the runners it started, and what it told its observer."""

    def __init__(
        self,
        models_dir: Path,
        clock: FakeClock,
        session: aiohttp.ClientSession,
        *,
        room: Footprint = ROOM,
        devices: tuple[Device, ...] = (),
    ) -> None:
        self.models_dir = models_dir
        self.runners: list[FakeRunner] = []
        self.ready: list[Resident] = []
        self.deaths: list[str] = []
        self.steps: list[StepDone] = []
        self.may_open = asyncio.Event()
        self.may_open.set()
        self.refusal: ModelLoadFailed | None = None
        blobs = LocalBlobs(
            models_dir=models_dir,
            cache_dir=models_dir / "cache",
            registry=RegistryClient(session, "http://127.0.0.1:1"),
        )
        limits = Limits(
            slots_count=2, models_max=3, room=room, keep_alive_s=KEEP_ALIVE_S, context_tokens=1024,
            threads_count=4, step_target_s=0.1, report_interval_s=0, flash_attention=False, kv_unified=False,
            load_timeout_s=5,
        )  # fmt: skip
        self.residency = Residency(limits, blobs, clock, self, lambda: None, self.new_runner, devices=devices)

    def new_runner(self, on_step: Callable[[StepDone], None], on_exit: Callable[[str], None]) -> FakeRunner:
        runner = FakeRunner(on_step, on_exit)
        runner.may_open = self.may_open
        runner.refusal = self.refusal
        self.runners.append(runner)
        return runner

    def model_ready(self, resident: Resident) -> None:
        self.ready.append(resident)

    async def model_leaving(self, resident: Resident) -> None:
        """Nothing is pulled here."""

    def step_done(self, report: StepDone) -> None:
        self.steps.append(report)

    def runner_died(self, resident: Resident, reason: str) -> None:
        self.deaths.append(reason)

    def entry(self, name: str, *, gib: int = 1, params: dict[str, object] | None = None) -> ModelEntry:
        weights = Digest(f"sha256:{name:0>64}")
        (self.models_dir / "blobs").mkdir(exist_ok=True)
        (self.models_dir / "blobs" / weights.replace(":", "-")).touch()
        return ModelEntry(
            name=parse_model_name(name), digest="a" * 64, weights=weights, weights_bytes=gib << 30, size_bytes=1,
            modified_unix_ms=0, details=ModelDetails(), capabilities=("completion",), context_length=8192,
            embedding_length=64, kv_bytes_per_token=1000, blocks_count=9, params=params or {},
        )  # fmt: skip

    async def load(self, name: str, *, gib: int = 1, params: dict[str, object] | None = None) -> Resident:
        await self.residency.load(self.entry(name, gib=gib, params=params))
        return self.ready[-1]

    def lease(self, resident: Resident, keep_alive_s: float | None = None) -> Lease:
        return self.residency.lease(resident, keep_alive_s)

    def held(self) -> dict[str, str]:
        return {model.weights[-1]: model.state for model in self.residency.state(draining=False).models}


def opened_with(runner: FakeRunner) -> LlamaParams:
    opening = runner.told[0]
    assert isinstance(opening, Open)
    return opening.params


def threads_of(runner: FakeRunner) -> int:
    """The threads the runner was told last."""
    counts = [
        command.params.n_threads if isinstance(command, Open) else command.n_threads
        for command in runner.told
        if isinstance(command, Open | SetThreads)
    ]
    return counts[-1]
