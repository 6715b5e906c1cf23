"""What `/readyz` of a registry says when it cannot do its work."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from fakes.polling import until
from harness.valkey import running_valkey
from services.registry.app import build_app
from services.registry.settings import Settings
from shared import redis_client
from shared.settings import Secret


class Page:
    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def says(self, status: int, words: str) -> bool:
        async with self._http.get("/readyz") as response:
            return (response.status, await response.text()) == (status, words)

    async def until_it_says(self, status: int, words: str) -> None:
        await until(lambda: self.says(status, words))


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.registry.store_watch.LOOK_INTERVAL_S", 0.01)
    monkeypatch.setattr("services.registry.index_publisher.CHECK_INTERVAL_S", 0.01)
    monkeypatch.setattr("services.registry.index_publisher.REDIS_DEADLINE_S", 0.2)


@pytest.fixture
async def own_redis() -> AsyncIterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture
async def page(models_dir: Path, own_redis: str) -> AsyncIterator[Page]:
    app = build_app(Settings(models_dir=str(models_dir), redis_url=Secret(own_redis), upstream_hosts=""))
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession(server.make_url("/")) as http:
        yield Page(http)


async def test_a_store_that_is_not_there_is_told_until_it_is_back(page: Page, models_dir: Path) -> None:
    await page.until_it_says(200, "ready")
    shutil.rmtree(models_dir / "blobs")
    await page.until_it_says(503, "the model store cannot be written to: No such file or directory")
    (models_dir / "blobs").mkdir()
    await page.until_it_says(200, "ready")


async def test_a_redis_that_hangs_is_told_and_hangs_nobody_who_asks(page: Page, own_redis: str) -> None:
    await page.until_it_says(200, "ready")
    redis = redis_client.connect(own_redis)
    await redis.client_pause(1_000)
    await page.until_it_says(503, "the model index is not published: Redis cannot be reached")
    await redis.aclose()
