"""The residency manager: loads, leases, expires and unloads models. The only owner of what is in memory here."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
import structlog
from msgspec import structs

from services.worker import metrics
from services.worker.llama.params import LlamaParams
from services.worker.residency import policy
from services.worker.residency.blobs import LocalBlobs
from services.worker.residency.resident import Resident, State
from services.worker.residency.sizes import (
    Footprint,
    Opening,
    context_tokens_fitting,
    device_layers,
    footprint,
    layers_count,
)
from services.worker.runner.messages import Open, StepDone
from services.worker.runner_process import RunnerProcess
from shared.clock import Clock
from shared.cluster_state import Device, WorkerState
from shared.digest import Digest
from shared.errors import CorralError, Unavailable
from shared.model_index import ModelEntry
from shared.options import LoadOptions, load_options_from, merged

log = structlog.get_logger("corral.worker")


BATCH_TOKENS_MIN: Final = 32
"""A smaller batch would leave no room to divide prompts; llama.cpp pads to this size anyway."""


EMBED_SEQUENCES_MAX: Final = 64
"""Texts in one forward pass of a model that embeds; llama.cpp allows 256, and the batch is full much earlier."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What this worker may use, and how models are opened unless they say otherwise."""

    slots_count: int
    models_max: int
    room: Footprint
    keep_alive_s: float
    context_tokens: int
    threads_count: int
    step_target_s: float
    report_interval_s: float
    flash_attention: bool
    kv_unified: bool
    load_timeout_s: float


class Observer(Protocol):
    """Who is told about what happens to resident models; all calls come from the event loop."""

    def model_ready(self, resident: Resident) -> None:
        """Generations may be taken for it now."""

    async def model_leaving(self, resident: Resident) -> None:
        """Take no more generations for it; returns when none can come any more."""

    def step_done(self, report: StepDone) -> None: ...

    def runner_died(self, resident: Resident, reason: str) -> None:
        """Everything that ran on it is lost."""


class Residency:
    """All models of this worker. One load or unload runs at a time; leases are granted in between."""

    def __init__(
        self,
        limits: Limits,
        blobs: LocalBlobs,
        clock: Clock,
        observer: Observer,
        on_change: Callable[[], None],
        new_runner: Callable[[Callable[[StepDone], None], Callable[[str], None]], RunnerProcess] = RunnerProcess,
        *,
        devices: tuple[Device, ...] = (),
    ) -> None:
        self._limits = limits
        self._blobs = blobs
        self._clock = clock
        self._observer = observer
        self._on_change = on_change
        self._new_runner = new_runner
        self._devices = devices
        self._models: dict[Digest, Resident] = {}
        self._changing = asyncio.Lock()
        self._threads_count = limits.threads_count
        self._background: set[asyncio.Task[None]] = set()
        self._load_s: dict[Digest, float] = {}  # how long weights took the last time, a few bytes for each ever loaded

    def state(self, *, draining: bool) -> WorkerState:
        now_s, now_unix_ms = self._clock.monotonic_s(), self._clock.unix_ms()
        return WorkerState(
            models=tuple(model.public(now_s=now_s, now_unix_ms=now_unix_ms) for model in self._models.values()),
            memory_bytes_max=self._limits.room.host_bytes,
            models_max=self._limits.models_max,
            draining=draining,
            devices=self._devices,
            device_memory_bytes_max=self._limits.room.device_bytes,
        )

    def without_runner(self) -> list[str]:
        """Models whose runner has ended while they were in memory, for as long as they have not been removed."""
        return [one.entry.name.short for one in self._models.values() if one.opened is not None and one.runner is None]

    async def load(self, entry: ModelEntry) -> None:
        """Make the model resident; nothing happens when it already is.

        Raises: MemoryExceeded, WorkerBusy, ModelLoadFailed, BlobUnknown, Unavailable (nothing is left behind).
        """
        async with self._changing:
            if entry.weights in self._models:
                return
            opening = self._opening(entry)
            takes = footprint(entry, opening)
            await self._make_room(takes)
            resident = Resident(
                entry,
                opening=opening,
                takes=takes,
                keep_alive_s=self._limits.keep_alive_s,
                now_s=self._clock.monotonic_s(),
                load_expected_s=self._load_s.get(entry.weights),
            )
            self._models[entry.weights] = resident
            self._on_change()
            started_s = self._clock.monotonic_s()
            try:
                await self._open(resident)
            except BaseException as cause:
                del self._models[entry.weights]
                self._on_change()
                outcome = cause.code if isinstance(cause, CorralError) else "cancelled"
                metrics.MODEL_LOAD_SECONDS.labels(outcome).observe(self._clock.monotonic_s() - started_s)
                raise
            load_s = self._load_s[entry.weights] = self._clock.monotonic_s() - started_s
            metrics.MODEL_LOAD_SECONDS.labels("ok").observe(load_s)
            log.info(
                "model_loaded",
                model=entry.name.short,
                load_s=round(load_s, 3),
                size_bytes=takes.total_bytes,
                device_bytes=takes.device_bytes,
            )
            self._on_change()
            self._observer.model_ready(resident)

    def _opening(self, entry: ModelEntry) -> Opening:
        """How to open the model: as many of its layers on GPUs as it asks for, or as fit there by themselves."""
        options = load_options_from(merged(entry.params))
        opening = Opening(
            context_tokens=self._context_tokens(entry),
            slots_count=self._limits.slots_count,
            scored_tokens=0 if self._limits.flash_attention else _batch_tokens(options),
        )
        layers = device_layers(entry, opening, wanted=options.num_gpu, device_bytes=self._limits.room.device_bytes)
        return structs.replace(opening, device_layers=layers)

    def _context_tokens(self, entry: ModelEntry) -> int:
        """Tokens of one slot: what the model's parameters ask for, else the worker's default, else what it knows."""
        wanted = merged(entry.params).get("num_ctx") or self._limits.context_tokens
        assert isinstance(wanted, int)
        return min(wanted, entry.context_length or wanted)

    async def _make_room(self, wanted: Footprint) -> None:
        held = [
            policy.Held(
                weights=model.entry.weights,
                takes=model.takes,
                in_use=model.leases > 0,
                pinned=model.pinned,
                last_used_s=model.last_used_s,
            )
            for model in self._models.values()
        ]
        for weights in policy.victims(held, wanted=wanted, room=self._limits.room, models_max=self._limits.models_max):
            await self._remove(self._models[weights], reason="evicted")

    async def _open(self, resident: Resident) -> None:
        entry, opening, limits = resident.entry, resident.opening, self._limits
        options = load_options_from(merged(entry.params))
        path = await self._blobs.path(entry.weights_blob)
        adapters = [str(await self._blobs.path(adapter)) for adapter in entry.adapters]
        projector = None if entry.projector is None else str(await self._blobs.path(entry.projector))
        others = sum((model.takes for model in self._models.values() if model is not resident), start=Footprint())
        fitting = context_tokens_fitting(entry, opening, room=limits.room - others)
        runner = self._new_runner(
            lambda report: self._step_done(resident, report),
            lambda reason: self._runner_died(resident, reason),
        )
        threads_count = self._threads_count if resident.needs_cores else 1
        resident.opened = await runner.open(
            Open(
                params=LlamaParams(
                    path=str(path),
                    adapters=tuple(adapters),
                    projector=projector,
                    n_ctx_seq=opening.context_tokens,
                    n_seq_max=EMBED_SEQUENCES_MAX if entry.embeds else limits.slots_count,
                    n_batch=_batch_tokens(options),
                    n_threads=options.num_thread or threads_count,
                    n_gpu_layers=-1 if opening.device_layers == layers_count(entry) else opening.device_layers,
                    main_gpu=options.main_gpu,
                    use_mmap=options.use_mmap,
                    flash_attn=limits.flash_attention,
                    kv_unified=limits.kv_unified,
                    embeddings=entry.embeds,
                ),
                n_ctx_seq_max=max(opening.context_tokens, fitting),
                step_target_s=limits.step_target_s,
                report_interval_s=limits.report_interval_s,
            ),
            timeout_s=limits.load_timeout_s,
        )
        resident.runner = runner
        if resident.needs_cores and threads_count != self._threads_count and not options.num_thread:
            # The threads were divided anew while this model was loading.
            runner.set_threads(self._threads_count)
        resident.context_tokens = resident.opened.context_tokens
        self._devices = resident.opened.devices or self._devices
        resident.last_used_s = self._clock.monotonic_s()
        resident.state = State.READY

    def _step_done(self, resident: Resident, report: StepDone) -> None:
        if report.context_tokens != resident.context_tokens:
            resident.context_tokens = report.context_tokens
            resident.opening = structs.replace(resident.opening, context_tokens=report.context_tokens)
            resident.takes = footprint(resident.entry, resident.opening)
            log.info("context_grown", model=resident.entry.name.short, context_tokens=report.context_tokens)
        self._observer.step_done(report)

    def _runner_died(self, resident: Resident, reason: str) -> None:
        log.error("runner_died", model=resident.entry.name.short, reason=reason)
        metrics.RUNNER_EXITS.inc()
        dead, resident.runner = resident.runner, None
        self._observer.runner_died(resident, reason)
        task = asyncio.create_task(self._retire(resident, reason="died", dead=dead))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def lease(self, resident: Resident, keep_alive_s: float | None, *, is_use: bool = True) -> "Lease":
        """Use the model until the lease is released; then its keep-alive starts anew.

        Where it is no use, because nobody wants anything of the model, its keep-alive goes on as if it had not been.
        A model on its way out still takes what was already pulled for it: removal waits for all leases.
        Raises: Unavailable when its runner is gone.
        """
        if resident.runner is None:
            raise Unavailable("the model is not in memory any more", retry_after_s=1.0)
        resident.leases += 1
        resident.idle.clear()
        metrics.SLOTS_IN_USE.inc()
        if keep_alive_s is not None:
            resident.keep_alive_s = keep_alive_s
        self._share_threads()
        return Lease(resident.runner, lambda: self._released(resident, is_use=is_use))

    def _released(self, resident: Resident, *, is_use: bool) -> None:
        resident.leases -= 1
        metrics.SLOTS_IN_USE.dec()
        if is_use:
            resident.last_used_s = self._clock.monotonic_s()
        if resident.leases == 0:
            resident.idle.set()
        self._share_threads()

    def _share_threads(self) -> None:
        """Divide the worker's threads among the runners at work: more threads than cores stall llama.cpp's barriers.

        A model that is wholly on GPUs keeps the one thread it has.
        """
        computing = [model for model in self._models.values() if model.needs_cores]
        at_work = sum(1 for model in computing if model.leases)
        threads_count = max(1, self._limits.threads_count // max(1, at_work))
        if threads_count != self._threads_count:
            self._threads_count = threads_count
            for model in computing:
                if model.runner is not None and not load_options_from(merged(model.entry.params)).num_thread:
                    model.runner.set_threads(threads_count)

    async def unload(self, weights: Digest) -> None:
        """Drop the model once nobody uses it; nothing happens when it is not here."""
        if (resident := self._models.get(weights)) is not None:
            await self._retire(resident, reason="requested")

    async def sweep(self) -> None:
        """Unload every model whose keep-alive has passed."""
        async with self._changing:
            now_s = self._clock.monotonic_s()
            for resident in list(self._models.values()):
                expires_s = resident.expires_s()
                if expires_s is not None and expires_s <= now_s:
                    await self._remove(resident, reason="expired")

    async def close(self) -> None:
        """Unload everything, waiting for nobody: the caller has drained what it wanted to."""
        async with self._changing:
            for resident in list(self._models.values()):
                if resident.runner is not None:
                    await resident.runner.close()
                del self._models[resident.entry.weights]

    async def _retire(self, resident: Resident, *, reason: str, dead: RunnerProcess | None = None) -> None:
        """Remove a model that may be in use: wait for its users first, while other models come and go."""
        resident.state = State.DRAINING
        self._on_change()
        await self._observer.model_leaving(resident)
        await resident.idle.wait()
        if dead is not None:
            await dead.close()
        async with self._changing:
            if self._models.get(resident.entry.weights) is resident:
                await self._remove(resident, reason=reason)

    async def _remove(self, resident: Resident, *, reason: str) -> None:
        """Remove an idle model; called with the lock held."""
        resident.state = State.DRAINING
        await self._observer.model_leaving(resident)
        await resident.idle.wait()
        if resident.runner is not None:
            await resident.runner.close()
        del self._models[resident.entry.weights]
        metrics.EVICTIONS.labels(reason).inc()
        log.info("model_unloaded", model=resident.entry.name.short, reason=reason)
        self._on_change()


class Lease:
    """The right to use a runner until `release`, which may be called more than once."""

    def __init__(self, runner: RunnerProcess, on_release: Callable[[], None]) -> None:
        self.runner = runner
        self._on_release: Callable[[], None] | None = on_release

    def release(self) -> None:
        if self._on_release is not None:
            on_release, self._on_release = self._on_release, None
            on_release()


def _batch_tokens(options: LoadOptions) -> int:
    return max(BATCH_TOKENS_MIN, options.num_batch)
