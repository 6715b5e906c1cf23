"""A worker without a model: takes real jobs from the real queue and answers them as a script says.

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hello", " there")).running():
        ...

A play gets a `Stage` for each job and speaks through it; a cancelled job's play is cancelled.
"""

import asyncio
import contextlib
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
from arq import ArqRedis
from arq.worker import Function, func
from arq.worker import Worker as ArqWorker
from redis.asyncio import Redis

from shared import control_jobs, frames, keys
from shared.cluster_state import ResidentModel, WorkerState
from shared.digest import Digest
from shared.errors import CorralError
from shared.frames import Frame
from shared.generation import (
    Delta,
    DoneReason,
    Embedded,
    Event,
    Failed,
    Finished,
    GenerationRequest,
    LoadOnly,
    Piece,
    Started,
    Truncated,
    Usage,
)
from shared.generation_queue import GenerationQueue
from shared.leases import HEARTBEAT_S, Roster

MODEL = "registry.ollama.ai/library/tiny:latest"


class Stage:
    """One job, and the means to answer it."""

    def __init__(self, worker: "ScriptedWorker", request: GenerationRequest) -> None:
        self.request = request
        self._worker = worker
        self._tokens_count = 0

    async def start(self) -> None:
        request = self.request
        await self._send(
            Started(request_id=request.request_id, attempt=request.attempt, worker_id=self._worker.worker_id)
        )

    async def say(self, *texts: str) -> None:
        """Each text as one token's delta, all in one frame."""
        await self.tell(*(Piece(text) for text in texts))

    async def tell(self, *pieces: Piece) -> None:
        """Each piece of the answer as one token's delta, all in one frame."""
        request, first = self.request, self._tokens_count
        self._tokens_count += len(pieces)
        await self._send(
            *(
                Delta(request_id=request.request_id, attempt=request.attempt, piece=piece, token_ids=(first + offset,))
                for offset, piece in enumerate(pieces)
            )
        )

    async def embed(self, *vectors: Sequence[float], truncated_count: int = 0) -> None:
        """The vectors of the next inputs, in one frame."""
        request = self.request
        await self._send(
            Embedded(
                request_id=request.request_id,
                attempt=request.attempt,
                vectors=tuple(struct.pack(f"<{len(vector)}f", *vector) for vector in vectors),
                truncated_count=truncated_count,
            )
        )

    async def finish(
        self,
        reason: DoneReason = DoneReason.STOP,
        *,
        dropped_messages_count: int = 0,
        stop_string: str = "",
        shifted_tokens_count: int = 0,
        decode_ns: int = 3_000_000,
    ) -> None:
        request = self.request
        usage = Usage(
            prompt_tokens=7,
            generated_tokens=self._tokens_count,
            prompt_ns=2_000_000,
            decode_ns=decode_ns,
            load_ns=1_000,
        )
        if isinstance(request.prompt, LoadOnly):
            reason, usage = DoneReason.LOAD, Usage()
        await self._worker.queue.finish(request, cost=1)
        await self._send(
            Finished(
                request_id=request.request_id,
                attempt=request.attempt,
                reason=reason,
                usage=usage,
                context=tuple(range(self._tokens_count)) if request.want_context else (),
                dropped_messages_count=dropped_messages_count,
                stop_string=stop_string,
                shifted_tokens_count=shifted_tokens_count,
            )
        )

    async def count(self, prompt_tokens: int, *, context_tokens: int) -> None:
        """Answer a request that only wants its tokens counted."""
        request = self.request
        assert request.count_only
        await self._worker.queue.finish(request, cost=1)
        await self._send(
            Finished(
                request_id=request.request_id,
                attempt=request.attempt,
                reason=DoneReason.STOP,
                usage=Usage(prompt_tokens=prompt_tokens),
                context_tokens=context_tokens,
            )
        )

    async def truncate(self, *, dropped_messages_count: int = 0, dropped_tokens_count: int = 0) -> None:
        """Say that the prompt was too long, before its answer."""
        request = self.request
        await self._send(
            Truncated(
                request_id=request.request_id,
                attempt=request.attempt,
                dropped_messages_count=dropped_messages_count,
                dropped_tokens_count=dropped_tokens_count,
            )
        )

    async def fail(self, error: CorralError) -> None:
        request = self.request
        await self._worker.queue.finish(request, cost=1)
        await self._send(Failed(request_id=request.request_id, attempt=request.attempt, error=error.info()))

    async def send_last_frame_again(self) -> None:
        """As a worker does that was told of an error although the frame had arrived."""
        assert self._worker.last_frame is not None
        await frames.publish(self._worker.redis, self.request.gateway_id, self._worker.last_frame)

    def lose_a_frame(self) -> None:
        """Count a frame that is never sent."""
        self._worker.frames_count[self.request.gateway_id] += 1

    async def _send(self, *events: Event) -> None:
        worker, gateway_id = self._worker, self.request.gateway_id
        worker.frames_count[gateway_id] += 1
        worker.last_frame = Frame(worker.worker_id, worker.frames_count[gateway_id], events)
        await frames.publish(worker.redis, gateway_id, worker.last_frame)


Play = Callable[[Stage], Awaitable[None]]


def say(*texts: str, reason: DoneReason = DoneReason.STOP) -> Play:
    """The play that answers every job with `texts`, a frame each."""

    async def play(stage: Stage) -> None:
        await stage.start()
        if not isinstance(stage.request.prompt, LoadOnly):
            for text in texts:
                await stage.say(text)
        await stage.finish(reason)

    return play


class ScriptedWorker:
    """Announces itself, loads and unloads on command, and takes jobs while it holds the model.

    With `load_expected_s` it is loading the model all the time.
    """

    def __init__(
        self,
        redis: Redis,
        redis_url: str,
        weights: Digest,
        *,
        play: Play,
        worker_id: str = "worker-1",
        model: str = MODEL,
        resident: bool = True,
        takes_jobs: bool = True,
        expires_unix_ms: int | None = None,
        load_expected_s: float | None = None,
        device_bytes: int = 0,
    ) -> None:
        self.redis = redis
        self.queue = GenerationQueue(redis)
        self.frames_count: Counter[str] = Counter()
        self.last_frame: Frame | None = None
        self.worker_id = worker_id
        self.play = play
        self.requests: list[GenerationRequest] = []
        self.cancelled: list[str] = []
        self.changed = asyncio.Condition()
        self._redis_url = redis_url
        self._weights = weights
        self._takes_jobs = takes_jobs
        self._roster = Roster(redis, "worker", WorkerState)
        self._plays: dict[str, asyncio.Task[None]] = {}
        self._resident = asyncio.Event()
        if resident:
            self._resident.set()
        self._model = ResidentModel(
            weights=weights,
            model=model,
            state="ready",
            size_bytes=1_000,
            device_bytes=device_bytes,
            context_tokens=4096,
            slots_count=4,
            slots_in_use=0,
            expires_unix_ms=expires_unix_ms,
        )
        if load_expected_s is not None:
            self._takes_jobs = False
            self._model = msgspec.structs.replace(
                self._model,
                state="loading",
                loading_since_unix_ms=time.time_ns() // 1_000_000,
                load_expected_s=load_expected_s,
            )

    @property
    def is_resident(self) -> bool:
        return self._resident.is_set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["ScriptedWorker"]:
        await self.announce()
        async with control_jobs.connected(self._redis_url) as pool:
            loops = [self._heartbeat(), self._listen_for_cancels(), self._control(pool)]
            if self._takes_jobs:
                loops.append(self._take())
            tasks = [asyncio.create_task(loop) for loop in loops]
            try:
                yield self
            finally:
                tasks += self._plays.values()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def announce(self) -> None:
        models = (self._model,) if self.is_resident else ()
        await self._roster.announce(
            self.worker_id, WorkerState(models=models, memory_bytes_max=10_000, models_max=3, draining=False)
        )

    async def die(self) -> None:
        """End the lease, as if the process had stopped three seconds ago; nothing it does counts any more."""
        await self._roster.withdraw(self.worker_id)

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Wait until the worker's record of requests, cancels or residency satisfies `is_true`."""
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(is_true), timeout=10)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if await self.redis.exists(keys.lease("worker", self.worker_id)):
                await self.announce()

    async def _take(self) -> None:
        async with self.redis.client() as connection:
            while True:
                await self._resident.wait()
                request = await self.queue.take(self._weights, self.worker_id, connection=connection, timeout_s=0.5)
                if request is not None:
                    self.requests.append(request)
                    stage = Stage(self, request)
                    self._plays[request.request_id] = asyncio.create_task(self._perform(stage))
                    await self._notify()

    async def _perform(self, stage: Stage) -> None:
        await self.play(stage)

    async def _listen_for_cancels(self) -> None:
        position: bytes | str = "0-0"
        key = keys.cancels(self.worker_id)
        while True:
            reply: Any = await self.redis.xread({key: position}, block=500)
            for _, entries in reply or ():
                for entry_id, fields in entries:
                    position = entry_id
                    request_id = fields[b"request"].decode()
                    self.cancelled.append(request_id)
                    if request_id in self._plays:
                        self._plays[request_id].cancel()
            await self._notify()

    async def _control(self, pool: ArqRedis) -> None:
        worker = ArqWorker(
            functions=[
                _function(self._load, name=control_jobs.LOAD, keep_result=0),
                _function(self._unload, name=control_jobs.UNLOAD, keep_result=10),
            ],
            queue_name=keys.worker_jobs(self.worker_id),
            redis_pool=pool,
            handle_signals=False,
            poll_delay=0.02,
            job_serializer=control_jobs.serialize,
            job_deserializer=control_jobs.deserialize,
        )
        try:
            await worker.async_run()
        finally:
            await asyncio.gather(*worker.tasks.values(), return_exceptions=True)

    async def _load(self, _context: dict[str, Any], model: str, weights: str) -> None:
        self._model = msgspec.structs.replace(self._model, model=model, weights=Digest(weights))
        self._resident.set()
        await self.announce()
        await self._notify()

    async def _unload(self, _context: dict[str, Any], weights: str) -> None:
        if weights == self._weights:
            self._resident.clear()
        await self.announce()
        await self._notify()

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()


def _function(coroutine: Any, *, name: str, keep_result: float) -> Function:
    return func(coroutine, name=name, keep_result=keep_result)
