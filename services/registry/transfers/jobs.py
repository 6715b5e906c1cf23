"""The arq side of transfers: what is wanted is a job until it is done, so it outlives this process. Also the clock of
scheduled updates. The only importer of arq in the registry.

arq hands a job out again only when the mark that somebody is at it has expired, which for work of days is days. But
one registry works on a store: at start, and when Redis is back, nobody can be at any of its jobs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from arq import ArqRedis, cron
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from arq.cron import CronJob
from arq.worker import Function, func
from arq.worker import Worker as ArqWorker
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.registry.transfers.transfer import Transfer, TransferKind
from services.registry.transfers.transfers import TRANSFERS_MAX, Transfers
from shared import control_jobs, keys
from shared.errors import Unavailable
from shared.model_name import parse_model_name
from shared.redis_client import pending

log = structlog.get_logger("corral.registry")

TRANSFER: Final = "transfer"

POLL_S: Final = 0.5
"""Only jobs of an earlier life wait for it; new ones start at once."""

RETRY_S: Final = 1.0
REDIS_DEADLINE_S: Final = 3.0

KEPT_S: Final = 7 * 86_400
"""As long as a transfer may take, and as long as one is remembered while no registry runs."""

TRIES_MAX: Final = 1 << 30
"""A job is tried as often as the registry starts: a failure ends it, only stopping does not."""


class TransferRecords:
    """What is wanted, as arq jobs in Redis."""

    def __init__(self, redis: Redis) -> None:
        self._arq = ArqRedis(
            redis.connection_pool,
            job_serializer=control_jobs.serialize,
            job_deserializer=control_jobs.deserialize,
            default_queue_name=keys.REGISTRY_JOBS,
        )

    async def remember(self, transfer: Transfer, *, insecure: bool) -> None:
        """Raises: Unavailable."""
        try:
            async with asyncio.timeout(REDIS_DEADLINE_S):
                await self._arq.enqueue_job(
                    TRANSFER,
                    str(transfer.kind),
                    transfer.name.full,
                    insecure,
                    transfer.only_if_absent,
                    _job_id=transfer.id,
                    _expires=KEPT_S,
                )
        except (RedisError, OSError) as cause:
            log.warning("transfer_refused", model=transfer.name.full, reason=str(cause) or type(cause).__name__)
            raise Unavailable(
                f"the {transfer.kind} cannot be started: Redis cannot be reached", retry_after_s=RETRY_S
            ) from cause

    async def forget(self, transfer_id: str) -> bool:
        """Whether there was a record; False also when Redis is away."""
        try:
            async with asyncio.timeout(REDIS_DEADLINE_S), self._arq.pipeline(transaction=True) as pipe:
                pipe.zrem(keys.REGISTRY_JOBS, transfer_id)
                pipe.delete(*_job_keys(transfer_id, job_key_prefix, retry_key_prefix))
                removed_count, _ = await pipe.execute()
        except (RedisError, OSError) as error:
            log.warning("record_kept", transfer_id=transfer_id, reason=str(error) or type(error).__name__)
            return False
        return bool(removed_count)


class Jobs:
    """Takes up the transfers that are recorded and not under way, and calls `update` at its time."""

    def __init__(
        self, redis_url: str, transfers: Transfers, update: Callable[[], Awaitable[None]], *, update_at: str
    ) -> None:
        """`update_at` is HH:MM in local time; empty for never."""
        self._redis_url = redis_url
        self._transfers = transfers
        self._update = update
        self._update_at = update_at

    async def run(self) -> None:
        """Until cancelled. When Redis goes away, what runs goes on, and is joined again when it is back."""
        while True:
            try:
                await self._serve()
            except (RedisError, OSError) as cause:
                log.warning("transfer_jobs_interrupted", reason=str(cause) or type(cause).__name__)
                await asyncio.sleep(RETRY_S)

    async def _serve(self) -> None:
        async with control_jobs.connected(self._redis_url) as client:
            await _reclaim(client)
            await control_jobs.serve(self._arq_worker(client))

    def _arq_worker(self, client: ArqRedis) -> ArqWorker:
        return ArqWorker(
            functions=[_function(self._transfer, name=TRANSFER)],
            cron_jobs=[self._daily()] if self._update_at else [],
            queue_name=keys.REGISTRY_JOBS,
            redis_pool=client,
            max_jobs=TRANSFERS_MAX + 1,
            handle_signals=False,
            poll_delay=POLL_S,
            job_serializer=control_jobs.serialize,
            job_deserializer=control_jobs.deserialize,
            log_results=False,
        )

    async def _transfer(
        self, _context: dict[str, Any], kind: str, model: str, insecure: bool, only_if_absent: bool = False
    ) -> None:
        await self._transfers.resume(
            TransferKind(kind), parse_model_name(model), insecure=insecure, only_if_absent=only_if_absent
        )

    async def _daily_update(self, _context: dict[str, Any]) -> None:
        await self._update()

    def _daily(self) -> CronJob:
        hour, minute = map(int, self._update_at.split(":"))
        update: Any = self._daily_update  # arq's type asks for functions that take anything
        return cron(update, name="update", hour=hour, minute=minute, timeout=KEPT_S)


def _function(coroutine: Any, *, name: str) -> Function:
    return func(coroutine, name=name, keep_result=0, timeout=KEPT_S, max_tries=TRIES_MAX)


async def _reclaim(pool: ArqRedis) -> None:
    """Free our jobs of the marks that an earlier life left on them."""
    names = [member.decode() for member in await pending(pool.zrange(keys.REGISTRY_JOBS, 0, -1))]
    for name in names:
        await pending(pool.delete(*_job_keys(name, in_progress_key_prefix, retry_key_prefix)))
    if names:
        log.info("transfers_found", count=len(names))


def _job_keys(job_id: str, *prefixes: str) -> list[str]:
    return [prefix + job_id for prefix in prefixes]
