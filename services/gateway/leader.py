"""Holds the leader's lock and runs placement with it. The rules are in `shared/placement.py`."""

import asyncio
import contextlib
from typing import Final

import structlog
from arq import ArqRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.gateway.cluster_view import ClusterView
from shared import control_jobs, keys, placement
from shared.generation_queue import GenerationQueue
from shared.leases import HEARTBEAT_S, LEASE_S

log = structlog.get_logger("corral.gateway")

TICK_S: Final = 0.25


class Leader:
    """One per gateway; of all gateways one holds the lock. A look that was missed costs one tick."""

    def __init__(
        self, *, redis: Redis, arq_pool: ArqRedis, queue: GenerationQueue, cluster: ClusterView, gateway_id: str
    ) -> None:
        self._redis = redis
        self._arq_pool = arq_pool
        self._queue = queue
        self._cluster = cluster
        self._gateway_id = gateway_id
        self._poked = asyncio.Event()
        self._holds_until_s = 0.0

    def poke(self) -> None:
        """Look now instead of at the next tick."""
        self._poked.set()

    async def run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._poked.wait()
            self._poked.clear()
            try:
                if await self._holds_lock():
                    await self.place()
            except (RedisError, OSError):
                await asyncio.sleep(TICK_S)  # the frame reader reports the loss
            except Exception:
                log.exception("placement_failed")

    async def resign(self) -> None:
        """Let another gateway lead at once."""
        if await self._redis.get(keys.LEADER) == self._gateway_id.encode():
            await self._redis.delete(keys.LEADER)

    async def place(self) -> None:
        """One look at demand and workers; asks for the loads that the plan names."""
        demand = await self._queue.demand()
        if not demand:
            return
        for load in placement.plan(demand, await self._cluster.refresh()):
            log.debug("load_requested", model=load.model, weights=load.weights, worker_id=load.worker_id)
            await control_jobs.enqueue_load(self._arq_pool, load.worker_id, load.weights, load.model)

    async def _holds_lock(self) -> bool:
        """Whether this gateway leads; the lock is asked for again a heartbeat after it was last seen to be ours."""
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._holds_until_s and await self._renewed():
            self._holds_until_s = now_s + HEARTBEAT_S
        return now_s < self._holds_until_s

    async def _renewed(self) -> bool:
        lease_ms = int(LEASE_S * 1000)
        if await self._redis.set(keys.LEADER, self._gateway_id, nx=True, px=lease_ms):
            return True
        if await self._redis.get(keys.LEADER) != self._gateway_id.encode():
            return False
        # Should the lock change hands between the two commands, another leader keeps it a little longer: harmless.
        await self._redis.pexpire(keys.LEADER, lease_ms)
        return True
