"""Composition root of the worker: builds its parts, wires them, owns their lifetimes. Not logic."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import structlog
from aiohttp import web
from msgspec import structs
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.worker import machine, metrics
from services.worker.cancels import CancelReader
from services.worker.control import Control
from services.worker.devices import find_devices
from services.worker.generations import Generations
from services.worker.outbox import Outbox
from services.worker.puller import Puller
from services.worker.residency import sizes
from services.worker.residency.blobs import LocalBlobs
from services.worker.residency.manager import Limits, Residency
from services.worker.residency.resident import Resident
from services.worker.residency.sizes import Footprint
from services.worker.runner.messages import StepDone
from services.worker.settings import Settings
from shared import background, redis_client
from shared.clock import SystemClock
from shared.cluster_state import Device, GatewayState, WorkerState
from shared.disk_space import disk_space
from shared.errors import RunnerDied
from shared.generation_queue import GenerationQueue
from shared.leases import HEARTBEAT_S, LEASE_S, Roster
from shared.model_index import ModelIndex
from shared.registry_client import RegistryClient
from shared.version import CORRAL_VERSION
from shared.web import DRAIN, add_ops_routes, error_middleware, ollama_error

log = structlog.get_logger("corral.worker")

SWEEP_S: Final = 0.25
REGISTRY_TIMEOUT: Final = aiohttp.ClientTimeout(
    total=None, sock_connect=10.0, sock_read=60.0
)  # weights take their time


class Worker:
    """One worker: its models, its generations, and the loops that keep it in touch with the cluster."""

    def __init__(
        self, settings: Settings, redis: Redis, session: aiohttp.ClientSession, devices: tuple[Device, ...]
    ) -> None:
        self.worker_id = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._settings = settings
        self._redis = redis
        self._clock = SystemClock()
        self._queue = GenerationQueue(redis)
        self._outbox = Outbox(redis, self.worker_id)
        self._generations = Generations(self._queue, self._outbox, self._clock, self.worker_id)
        self._workers = Roster(redis, "worker", WorkerState)
        self._gateways = Roster(redis, "gateway", GatewayState)
        self._changed = asyncio.Event()
        self._cache_dir = Path(settings.cache_dir).expanduser()
        self._pullers: dict[int, Puller] = {}
        self._gpu_visible = machine.gpu_visible()
        self._draining_since_unix_ms: int | None = None
        self._announced_until_s = 0.0
        blobs = LocalBlobs(
            models_dir=Path(settings.models_dir).expanduser() if settings.models_dir else None,
            cache_dir=self._cache_dir,
            registry=RegistryClient(session, settings.registry_url, key=settings.registry_key),
        )
        self._residency = Residency(
            _limits(settings, devices), blobs, self._clock, self, self._changed.set, devices=devices
        )
        self._control = Control(
            redis_url=settings.redis_url.reveal(),
            worker_id=self.worker_id,
            index=ModelIndex(redis),
            queue=self._queue,
            residency=self._residency,
            generations=self._generations,
            job_timeout_s=settings.load_timeout_s + 60,
        )

    @property
    def _draining(self) -> bool:
        return self._draining_since_unix_ms is not None

    def model_ready(self, resident: Resident) -> None:
        if self._draining:
            return
        self._pullers[id(resident)] = Puller(
            self._redis, self._queue, self._residency, self._generations, resident, self.worker_id
        )

    async def model_leaving(self, resident: Resident) -> None:
        if (puller := self._pullers.pop(id(resident), None)) is not None:
            await puller.stop()

    def step_done(self, report: StepDone) -> None:
        self._generations.step_done(report)

    def runner_died(self, resident: Resident, reason: str) -> None:
        self._generations.fail_all(RunnerDied(f"the model runner ended ({reason})"), resident)

    def problem(self) -> str | None:
        """Why the cluster cannot count on this worker, or None."""
        if asyncio.get_running_loop().time() >= self._announced_until_s:
            return "not announced in Redis"
        dead = self._residency.without_runner()
        return f"the runner of {', '.join(dead)} has ended" if dead else None

    async def run(self) -> None:
        """All loops, until cancelled."""
        cancels = CancelReader(self._redis, self.worker_id, self._generations.cancel)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._outbox.run())
            group.create_task(self._heartbeat())
            group.create_task(self._sweep())
            group.create_task(cancels.run())
            group.create_task(self._control.run())

    async def drain(self) -> None:
        """Take nothing more, let what runs end, tell the cluster that this worker leaves."""
        self._draining_since_unix_ms = self._clock.unix_ms()
        for puller in list(self._pullers.values()):
            await puller.stop()
        self._pullers.clear()
        self._changed.set()
        await self._generations.drain(self._settings.drain_s)
        await self._outbox.close()
        await self._residency.close()

    async def withdraw(self) -> None:
        try:
            async with asyncio.timeout(LEASE_S):  # by then it has ended by itself
                await self._workers.withdraw(self.worker_id)
        except (RedisError, OSError) as cause:
            log.warning("withdrawal_failed", cause=str(cause))

    def _state(self) -> WorkerState:
        """What the cluster hears of this worker: it drains once it has stopped taking jobs."""
        state = self._residency.state(draining=self._draining and not self._pullers)
        return structs.replace(
            state,
            gpu_visible=self._gpu_visible,
            draining_since_unix_ms=self._draining_since_unix_ms if state.draining else None,
            version=CORRAL_VERSION,
            clock_unix_ms=self._clock.unix_ms(),
            cache_disk=disk_space(self._cache_dir),
        )

    async def _heartbeat(self) -> None:
        """Announce this worker every second and at every change; drop the work of gateways that are gone."""
        while True:
            self._changed.clear()
            state, began_s = self._state(), asyncio.get_running_loop().time()
            _show(state)
            try:
                await self._workers.announce(self.worker_id, state)
                self._generations.cancel_all_of_missing(frozenset(await self._gateways.members()))
                self._announced_until_s = began_s + LEASE_S
            except (RedisError, OSError) as cause:
                self._announced_until_s = 0.0
                log.warning("heartbeat_failed", cause=str(cause))
                await asyncio.sleep(HEARTBEAT_S)
                continue
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await self._residency.sweep()


def _show(state: WorkerState) -> None:
    """Tell Prometheus what the cluster hears."""
    metrics.SLOTS.set(sum(model.slots_count for model in state.models))
    metrics.MODEL_BYTES.clear()
    for model in state.models:
        metrics.MODEL_BYTES.labels(model.model).set(model.size_bytes)
    metrics.RESIDENT_MODELS.set(len(state.models))
    metrics.RESIDENT_BYTES.set(state.memory_bytes_used)
    metrics.MEMORY_BYTES_MAX.set(state.memory_bytes_max)
    metrics.GPU_VISIBLE.set(state.gpu_visible)
    metrics.DEVICE_RESIDENT_BYTES.set(state.device_memory_bytes_used)
    metrics.DEVICE_MEMORY_BYTES_MAX.set(state.device_memory_bytes_max)
    for index, device in enumerate(state.devices):
        for kind, size_bytes in (("total", device.memory_bytes_total), ("free", device.memory_bytes_free)):
            metrics.DEVICE_MEMORY_BYTES.labels(f"{index} {device.name}", kind).set(size_bytes)


def _room(settings: Settings, devices: tuple[Device, ...]) -> Footprint:
    """What models may take: as configured, or a share of what there is."""
    device_free_bytes = sum(device.memory_bytes_free for device in devices)
    return Footprint(
        host_bytes=settings.memory_bytes_max or round(machine.memory_bytes_available() * sizes.MEMORY_SHARE),
        device_bytes=min(
            settings.device_memory_bytes_max or round(device_free_bytes * sizes.DEVICE_MEMORY_SHARE),
            device_free_bytes,
        ),
    )


def _limits(settings: Settings, devices: tuple[Device, ...]) -> Limits:
    return Limits(
        slots_count=settings.num_parallel,
        models_max=settings.max_loaded_models,
        room=_room(settings, devices),
        keep_alive_s=settings.keep_alive_s,
        context_tokens=settings.context_tokens,
        threads_count=settings.threads or machine.cores_available(),
        step_target_s=settings.step_target_ms / 1000,
        report_interval_s=settings.report_interval_ms / 1000,
        flash_attention=settings.flash_attention,
        kv_unified=settings.kv_unified,
        load_timeout_s=settings.load_timeout_s,
    )


_WORKER: Final = web.AppKey("worker", Worker)


def build(settings: Settings) -> web.Application:
    """The worker's ops application, whose lifetime is the worker's."""
    app = web.Application(middlewares=[error_middleware(ollama_error)])

    def problem() -> str | None:
        return app[_WORKER].problem() if _WORKER in app else "starting"

    async def life(_app: web.Application) -> AsyncIterator[None]:
        redis = redis_client.connect(settings.redis_url.reveal())
        async with aiohttp.ClientSession(timeout=REGISTRY_TIMEOUT) as session:
            worker = app[_WORKER] = Worker(settings, redis, session, await find_devices())
            async with background.running(worker.run()):
                log.info("worker_started", worker_id=worker.worker_id)
                app[DRAIN].steps.append(worker.drain)
                yield
            await worker.withdraw()
        await redis.aclose()

    app.cleanup_ctx.append(life)
    add_ops_routes(app, problem)
    return app
