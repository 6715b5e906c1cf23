"""The fair queue of generations: submit, take, finish, cancel. One queue per weights; HTTP stays in the gateway.

Start-time fair queueing: a job's score is max(virtual time, its user's finish tag), and the finish tag then moves on
by cost / weight. Taking a job moves virtual time to its score, so an idle cluster delays nobody and a user with a
backlog waits behind everybody else's first job. Costs are integers (token cost x COST_SCALE / weight).
"""

import importlib.resources
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from shared import keys
from shared.digest import Digest
from shared.errors import QueueFull
from shared.generation import GenerationRequest, RequestId
from shared.redis_client import pending

COST_SCALE: Final = 100
_JOB_TTL_SLACK_MS: Final = 60_000
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(GenerationRequest)


def _script(name: str) -> str:
    return importlib.resources.files("shared").joinpath("lua", f"{name}.lua").read_text()


def token_cost(tokens: int, weight: float) -> int:
    """The integer charged for `tokens` to a user of `weight`; at least 1, so that every job moves its user on."""
    return max(1, round(tokens * COST_SCALE / weight))


class UserJob(msgspec.Struct, frozen=True, kw_only=True):
    """One job as its user sees it. Waiting without a `position`, it is on its way to a worker."""

    request_id: RequestId
    model: str
    weights: Digest
    submitted_unix_ms: int
    is_running: bool
    position: int | None


class GenerationQueue:
    """All processes' view of the queues; holds no state of its own."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._submit = redis.register_script(_script("submit"))
        self._claim = redis.register_script(_script("claim"))
        self._finish = redis.register_script(_script("finish"))
        self._cancel = redis.register_script(_script("cancel"))

    async def submit(self, request: GenerationRequest, *, cost: int, depth_max: int, now_unix_ms: int) -> int:
        """Store the job and queue it; returns its position, counted from 1.

        Raises: QueueFull (nothing was stored).
        """
        position: int = await self._submit(
            keys=[
                keys.queue(request.weights), keys.fair(request.weights), keys.job(request.request_id), keys.DEMAND,
                keys.user_jobs(request.user),
            ],
            args=[
                request.request_id,
                _ENCODER.encode(request),
                request.gateway_id,
                max(1, request.deadline_unix_ms - now_unix_ms) + _JOB_TTL_SLACK_MS,
                request.user,
                cost,
                depth_max,
                request.weights,
                request.model,
                request.attempt,
                now_unix_ms,
                int(not request.is_smoke),
            ],
        )  # fmt: skip
        if position < 0:
            raise QueueFull(retry_after_s=1.0)
        return position

    async def take(
        self, weights: Digest, worker_id: str, *, connection: Redis, timeout_s: float
    ) -> GenerationRequest | None:
        """Wait for the next job of `weights` and own it; None when none came or the popped one was withdrawn.

        `connection` is the caller's own single-connection client, so that another may unblock it (CLIENT UNBLOCK).
        """
        popped: Any = await connection.bzpopmin(keys.queue(weights), timeout=timeout_s)
        if popped is None:
            return None
        _, request_id, score = popped
        return await self._own(weights, RequestId(request_id.decode()), score, worker_id)

    async def take_now(self, weights: Digest, worker_id: str) -> GenerationRequest | None:
        """The next job of `weights` without waiting; None when the queue is empty."""
        while popped := await self._redis.zpopmin(keys.queue(weights)):
            request_id, score = popped[0]
            if request := await self._own(weights, RequestId(request_id.decode()), score, worker_id):
                return request
        return None

    async def _own(
        self, weights: Digest, request_id: RequestId, score: float, worker_id: str
    ) -> GenerationRequest | None:
        body: bytes | None = await self._claim(
            keys=[keys.job(request_id), keys.fair(weights)],
            args=[worker_id, int(score), keys.lease("gateway", "")],
        )
        return None if body is None else _DECODER.decode(body)

    async def give_back(self, request: GenerationRequest) -> None:
        """Return a job that was taken but not begun, ahead of all that wait; nothing happens if it was cancelled."""
        job = keys.job(request.request_id)
        if await self._redis.exists(job):
            await pending(self._redis.hdel(job, "owner"))
            await self._redis.zadd(keys.queue(request.weights), {request.request_id: 0})
            if not request.is_smoke:
                await pending(self._redis.hset(keys.DEMAND, request.weights, request.model))

    async def finish(self, request: GenerationRequest, *, cost: int) -> None:
        """Forget the job and correct its user's finish tag to `cost`."""
        await self._finish(
            keys=[keys.job(request.request_id), keys.fair(request.weights)],
            args=[cost, request.attempt, request.request_id, keys.user_jobs("")],
        )

    async def cancel(self, request_id: RequestId, weights: Digest) -> None:
        """Withdraw a job in whatever state it is; harmless when it is already gone."""
        await self._cancel(
            keys=[keys.queue(weights), keys.job(request_id)],
            args=[request_id, keys.cancels(""), keys.user_jobs("")],
        )

    async def position(self, request_id: RequestId, weights: Digest) -> int | None:
        """Place in the queue, counted from 1; None when the job does not wait there."""
        rank = await self._redis.zrank(keys.queue(weights), request_id)
        return None if rank is None else int(rank) + 1

    async def length(self, weights: Digest) -> int:
        """How many jobs wait for the weights."""
        return int(await self._redis.zcard(keys.queue(weights)))

    async def of_user(self, user: str) -> list[UserJob]:
        """All jobs of one user in the whole cluster: first what runs, then what waits, the next one first."""
        members: set[bytes] = await pending(self._redis.smembers(keys.user_jobs(user)))
        request_ids = sorted(RequestId(member.decode()) for member in members)
        async with self._redis.pipeline(transaction=False) as pipe:
            for request_id in request_ids:
                pipe.hmget(keys.job(request_id), ["model", "weights", "submitted", "owner"])
            found: list[tuple[bytes | None, ...]] = await pipe.execute()
        jobs = [
            UserJob(
                request_id=request_id,
                model=model.decode(),
                weights=Digest(weights.decode()),
                submitted_unix_ms=int(submitted),
                is_running=owner is not None,
                position=await self.position(request_id, Digest(weights.decode())) if owner is None else None,
            )
            for request_id, (model, weights, submitted, owner) in zip(request_ids, found, strict=True)
            if model is not None and weights is not None and submitted is not None
        ]
        return sorted(jobs, key=lambda job: (not job.is_running, job.position or 0, job.request_id))

    async def waiting(self, jobs: Sequence[tuple[RequestId, Digest]]) -> list[bool]:
        """For each job whether it still waits in its queue, all asked at once."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for request_id, weights in jobs:
                pipe.zscore(keys.queue(weights), request_id)
            return [score is not None for score in await pipe.execute()]

    async def demand(self) -> dict[Digest, str]:
        """Weights with waiting jobs, and a model name to load them by; entries of empty queues are dropped."""
        entries: dict[bytes, bytes] = await pending(self._redis.hgetall(keys.DEMAND))
        waiting: dict[Digest, str] = {}
        for weights, model in entries.items():
            if await self._redis.zcard(keys.queue(weights.decode())):
                waiting[Digest(weights.decode())] = model.decode()
            else:
                await self._drop_demand(weights)
        return waiting

    async def _drop_demand(self, weights: bytes) -> None:
        """Remove the entry unless a job arrived since; the queue is watched so that none can be missed."""
        async with self._redis.pipeline(transaction=True) as pipe:
            await pipe.watch(keys.queue(weights.decode()))
            if await pipe.zcard(keys.queue(weights.decode())):
                return
            pipe.multi()  # type: ignore[no-untyped-call]
            pipe.hdel(keys.DEMAND, weights.decode())
            await pipe.execute(raise_on_error=False)
