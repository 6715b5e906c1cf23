"""Parts of the gateway's integration tests: models, a served gateway, and small HTTP helpers."""

import contextlib
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web
from redis.asyncio import Redis

from fakes.model_entries import model_entry
from fakes.polling import until
from services.gateway.app import gateway
from services.gateway.settings import Settings
from shared.digest import Digest
from shared.settings import Secret

EMBEDDING_WEIGHTS = Digest("sha256:" + "b" * 64)

TINY = model_entry("tiny", params={"temperature": 0.5, "stop": ["END"]})
EMBEDDER = model_entry("embedder", weights=EMBEDDING_WEIGHTS, capabilities=("embedding",))


def settings(redis_url: str, **changes: object) -> Settings:
    """Settings for tests: the watchdog looks often, so that a lost job is found soon, and workers get no smokes."""
    quick = Settings(redis_url=Secret(redis_url), watch_interval_s=0.05, started_wait_s=0.3, smoke_interval_s=0)
    return msgspec.structs.replace(quick, **changes)


@contextlib.asynccontextmanager
async def serving(with_settings: Settings) -> AsyncIterator[str]:
    """A gateway on the real server, as `shared.web.serve` runs it; gives its base URL."""
    async with gateway(with_settings) as app, listening(app) as url:
        yield url


@contextlib.asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def has_jobs(redis: Redis) -> bool:
    """Whether a generation has anything in Redis."""
    return any([await redis.keys(pattern) for pattern in ("job:*", "queue:*")])


async def until_no_job_is_left(redis: Redis) -> None:
    async def none_left() -> bool:
        return not await has_jobs(redis)

    await until(none_left, within_s=10)
