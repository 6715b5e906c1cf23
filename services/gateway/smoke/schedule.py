"""When smokes are made: arq's cron, by which one gateway of several makes each round.

A round belongs to a moment of the clock that all gateways share; the first that sees it due makes it a job of that
moment's name, and whoever takes the job makes the round.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog
from arq import ArqRedis, cron
from arq.cron import CronJob
from arq.worker import Worker as ArqWorker
from redis.exceptions import RedisError

from shared import control_jobs, keys

log = structlog.get_logger("corral.gateway")

POLL_S: Final = 1.0
RETRY_S: Final = 1.0
ROUND_S_MAX: Final = 900.0
"""A round that takes longer is given up; what it has found so far is kept."""

DONE_KEPT_S: Final = 600.0
"""How long a moment is remembered for which there was a round, so that a gateway whose clock is late makes no other."""

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600


class Moments(msgspec.Struct, frozen=True):
    """The seconds of a minute, and the minutes of an hour, at which a round is due; None is every minute."""

    seconds: frozenset[int]
    minutes: frozenset[int] | None = None


def moments(interval_s: int) -> Moments | None:
    """The moments that lie `interval_s` apart on every gateway's clock; None where there are none."""
    if interval_s > 0 and _MINUTE_S % interval_s == 0:
        return Moments(frozenset(range(0, _MINUTE_S, interval_s)))
    if interval_s > 0 and interval_s % _MINUTE_S == 0 and _HOUR_S % interval_s == 0:
        return Moments(frozenset({0}), frozenset(range(0, _MINUTE_S, interval_s // _MINUTE_S)))
    return None


def interval_problem(interval_s: int) -> str | None:
    """Why a clock cannot keep the interval, or None; 0 is never."""
    if interval_s == 0 or moments(interval_s) is not None:
        return None
    return (
        f"CORRAL_GATEWAY_SMOKE_INTERVAL_S is {interval_s}, but rounds are made at moments of the clock: it must be 0, "
        "a divisor of 60, or whole minutes that divide an hour, such as 300"
    )


class SmokeSchedule:
    def __init__(self, redis_url: str, make_round: Callable[[], Awaitable[None]], at: Moments) -> None:
        self._redis_url = redis_url
        self._make_round = make_round
        self._at = at

    async def run(self) -> None:
        """Until cancelled; Redis may come and go."""
        while True:
            try:
                async with control_jobs.connected(self._redis_url) as client:
                    await control_jobs.serve(self._arq_worker(client))
            except (RedisError, OSError) as cause:
                log.warning("smokes_interrupted", cause=str(cause))
                await asyncio.sleep(RETRY_S)

    def _arq_worker(self, client: ArqRedis) -> ArqWorker:
        return ArqWorker(
            cron_jobs=[self._cron_job()],
            queue_name=keys.GATEWAY_JOBS,
            redis_pool=client,
            max_jobs=1,
            handle_signals=False,
            poll_delay=POLL_S,
            job_serializer=control_jobs.serialize,
            job_deserializer=control_jobs.deserialize,
            log_results=False,
        )

    def _cron_job(self) -> CronJob:
        minutes = None if self._at.minutes is None else set(self._at.minutes)
        made: Any = self._made  # arq's type asks for functions that take anything
        return cron(
            made,
            name="smokes",
            minute=minutes,
            second=set(self._at.seconds),
            timeout=ROUND_S_MAX,
            keep_result=DONE_KEPT_S,
        )

    async def _made(self, _context: dict[str, Any]) -> None:
        try:
            await self._make_round()
        except* (RedisError, OSError) as lost:
            log.warning("smokes_interrupted", cause=str(lost.exceptions[0]))
