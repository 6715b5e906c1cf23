"""Composition root of the worker: builds its parts, wires them, owns their lifetimes. Not logic."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import structlog
from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.worker import metrics
from services.worker.cancels import CancelReader
from services.worker.control import Control
from services.worker.generations import Generations
from services.worker.outbox import Outbox
from services.worker.puller import Puller
from services.worker.residency import sizes
from services.worker.residency.blobs import LocalBlobs
from services.worker.residency.manager import Limits, Residency
from services.worker.residency.resident import Resident
from services.worker.runner.messages import StepDone
from services.worker.settings import Settings
from shared import background, redis_client
from shared.clock import SystemClock
from shared.cluster_state import GatewayState, WorkerState
from shared.errors import RunnerDied
from shared.generation_queue import GenerationQueue
from shared.leases import HEARTBEAT_S, Roster
from shared.model_index import ModelIndex
from shared.registry_client import RegistryClient
from shared.web import add_ops_routes, error_middleware, ollama_error

log = structlog.get_logger("corral.worker")

SWEEP_S: Final = 0.25


class Worker:
    """One worker: its models, its generations, and the loops that keep it in touch with the cluster."""

    def __init__(self, settings: Settings, redis: Redis, session: aiohttp.ClientSession) -> None:
        self.worker_id = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._settings = settings
        self._redis = redis
        self._queue = GenerationQueue(redis)
        self._outbox = Outbox(redis, self.worker_id)
        self._generations = Generations(self._queue, self._outbox, SystemClock(), self.worker_id)
        self._workers = Roster(redis, "worker", WorkerState)
        self._gateways = Roster(redis, "gateway", GatewayState)
        self._changed = asyncio.Event()
        self._pullers: dict[int, Puller] = {}
        self._draining = False
        self._announced = False
        blobs = LocalBlobs(
            models_dir=Path(settings.models_dir).expanduser() if settings.models_dir else None,
            cache_dir=Path(settings.cache_dir).expanduser(),
            registry=RegistryClient(session, settings.registry_url),
        )
        self._residency = Residency(_limits(settings), blobs, SystemClock(), self, self._changed.set)
        self._control = Control(
            redis_url=settings.redis_url.reveal(),
            worker_id=self.worker_id,
            index=ModelIndex(redis),
            queue=self._queue,
            residency=self._residency,
            generations=self._generations,
            job_timeout_s=settings.load_timeout_s + 60,
        )

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

    async def is_ready(self) -> str | None:
        """None when this worker is known to the cluster and takes work, else why not."""
        if self._draining:
            return "draining"
        return None if self._announced else "not announced in Redis"

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
        self._draining = True
        for puller in list(self._pullers.values()):
            await puller.stop()
        self._pullers.clear()
        self._changed.set()
        await self._generations.drain(self._settings.drain_s)
        await self._outbox.close()
        await self._residency.close()

    async def withdraw(self) -> None:
        try:
            await self._workers.withdraw(self.worker_id)
        except (RedisError, OSError) as cause:
            log.warning("withdrawal_failed", cause=str(cause))

    def _state(self) -> WorkerState:
        """What the cluster hears of this worker: it drains once it has stopped taking jobs."""
        return self._residency.state(draining=self._draining and not self._pullers)

    async def _heartbeat(self) -> None:
        """Announce this worker every second and at every change; drop the work of gateways that are gone."""
        while True:
            self._changed.clear()
            state = self._state()
            _show(state)
            try:
                await self._workers.announce(self.worker_id, state)
                self._generations.cancel_all_of_missing(frozenset(await self._gateways.members()))
                self._announced = True
            except (RedisError, OSError) as cause:
                self._announced = False
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
    metrics.RESIDENT_MODELS.set(len(state.models))
    metrics.RESIDENT_BYTES.set(state.memory_bytes_used)
    metrics.MEMORY_BYTES_MAX.set(state.memory_bytes_max)


def _limits(settings: Settings) -> Limits:
    return Limits(
        slots_count=settings.num_parallel,
        models_max=settings.max_loaded_models,
        memory_bytes_max=settings.memory_bytes_max or round(sizes.memory_bytes_available() * sizes.MEMORY_SHARE),
        keep_alive_s=settings.keep_alive_s,
        context_tokens=settings.context_tokens,
        threads_count=settings.threads or len(os.sched_getaffinity(0)),
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

    async def is_ready() -> str | None:
        return await app[_WORKER].is_ready() if _WORKER in app else "starting"

    async def life(_app: web.Application) -> AsyncIterator[None]:
        redis = redis_client.connect(settings.redis_url.reveal())
        async with aiohttp.ClientSession() as session:
            worker = app[_WORKER] = Worker(settings, redis, session)
            async with background.running(worker.run()):
                log.info("worker_started", worker_id=worker.worker_id)
                yield
                await worker.drain()
            await worker.withdraw()
        await redis.aclose()

    app.cleanup_ctx.append(life)
    add_ops_routes(app, is_ready)
    return app
