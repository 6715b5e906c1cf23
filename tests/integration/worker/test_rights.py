"""What a worker on another machine may do in Redis: its work, and nothing that is not its business."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from corral.site.secret_files import WORKER_RIGHTS
from fakes.gateway_desk import GatewayDesk
from harness.worker_service import WorkerService
from shared import keys, redis_client


async def told(client: Any, *command: str) -> Any:
    """What Redis answers to a command; redis-py has no types for those without a method."""
    return await client.execute_command(*command)


@pytest.fixture
async def worker_url(redis: Redis, redis_url: str) -> AsyncIterator[str]:
    await told(redis, "ACL", "SETUSER", "worker", "reset", "on", ">secret", *WORKER_RIGHTS.split())
    yield redis_url.replace("://", "://worker:secret@", 1)
    await told(redis, "ACL", "DELUSER", "worker")


async def test_a_worker_with_its_own_rights_loads_generates_and_unloads(
    desk: GatewayDesk, redis: Redis, worker_url: str, tmp_path: Path
) -> None:
    await told(redis, "ACL", "LOG", "RESET")
    model = await desk.publish("smollm2:135m")
    service = WorkerService(worker_url, desk.models_dir, tmp_path)
    async with service.running():
        service.worker_id = await desk.newcomer()
        await desk.load(service.worker_id, model)
        await desk.finished(await desk.ask(model, num_predict=2))
        await desk.unload(service.worker_id, model)
        service.terminate()
        assert await service.exit_code() == 0
    assert await told(redis, "ACL", "LOG") == []


@pytest.mark.parametrize(
    "command",
    [
        ("HGETALL", keys.API_KEYS),
        ("HSET", keys.MODELS, "name", "entry"),
        ("GET", keys.token("hash")),
        ("GET", keys.summary("digest")),
        ("GET", keys.response("user", "id")),
        ("ZRANGE", keys.REGISTRY_JOBS, "0", "-1"),
        ("ZADD", keys.REGISTRY_JOBS, "0", "job"),
        ("ZADD", keys.GATEWAY_JOBS, "0", "job"),
        ("SET", keys.LEADER, "me"),
        ("EVAL", "return redis.call('hgetall', 'keys')", "0"),
        ("SCAN", "0"),
        ("KEYS", "*"),
        ("ACL", "LIST"),
        ("CONFIG", "GET", "*"),
        ("FLUSHALL",),
    ],
    ids=" ".join,
)
async def test_a_worker_is_refused_what_is_not_its_business(worker_url: str, command: tuple[str, ...]) -> None:
    client = redis_client.connect(worker_url)
    try:
        with pytest.raises(RedisError, match=r"permission|ACL failure"):
            await told(client, *command)
    finally:
        await client.aclose()
