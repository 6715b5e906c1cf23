"""Asking every worker that holds a model to let it go. The workers decide when: running generations end first."""

import asyncio
from typing import Final

from arq import ArqRedis

from services.gateway.cluster_view import ClusterView
from services.gateway.redis_guard import redis_guard
from shared import control_jobs
from shared.digest import Digest

UNLOAD_WAIT_S: Final = 5.0


class Unloader:
    def __init__(self, arq_pool: ArqRedis, cluster: ClusterView, *, redis_wait_s: float) -> None:
        self._arq_pool = arq_pool
        self._cluster = cluster
        self._redis_wait_s = redis_wait_s

    async def unload(self, weights: Digest) -> None:
        """Ask all holders and wait until they have, or UNLOAD_WAIT_S passed."""
        async with redis_guard(self._redis_wait_s + UNLOAD_WAIT_S):
            workers = await self._cluster.refresh()
            holders = [worker_id for worker_id, state in workers.items() if state.holds(weights)]
            await asyncio.gather(
                *(
                    control_jobs.unload(self._arq_pool, worker_id, weights, timeout_s=UNLOAD_WAIT_S)
                    for worker_id in holders
                )
            )
