"""A registry that is killed in the middle of a pull, again and again: the model comes, and little of it twice."""

import asyncio
import hashlib
import random
from pathlib import Path

import aiohttp
import pytest

from fakes.polling import until
from harness.model_source import PIECE_BYTES, ModelSource
from harness.registry_service import RegistryService
from services.registry.paths import StorePaths
from services.registry.transfers.block_writer import BLOCK_BYTES
from services.registry.transfers.partial_files import missing_bytes
from shared.digest import Digest

SIZE_BYTES = 224 << 20
PART_BYTES = 8 << 20
RANGES_COUNT = 4
KILLS_COUNT = 20
LOST_BYTES_MAX = RANGES_COUNT * 2 * BLOCK_BYTES
"""What one death may cost: of each range a block on its way to the disk and one that gathers."""


@pytest.mark.parametrize("seed", [1])
async def test_a_pull_survives_twenty_deaths(
    host: str, source: ModelSource, redis_url: str, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    digest = source.add_weights("team/large:latest", draw.randbytes(SIZE_BYTES))
    source.piece_pause_s = 0.004
    service = RegistryService(
        redis_url,
        tmp_path,
        upstream_hosts=host,
        pull_part_bytes=str(PART_BYTES),
        pull_parts_parallel=str(RANGES_COUNT),
    )
    paths = StorePaths(service.models_dir)
    lost_bytes: list[int] = []
    for life in range(KILLS_COUNT):
        sent_bytes, kept_bytes = source.sent_bytes[digest], SIZE_BYTES - missing_bytes(paths, digest, SIZE_BYTES)
        async with service.running():
            if life == 0:
                await begin(service.url, f"{host}/team/large")
            await sent(source, digest, sent_bytes + draw.randrange(4 << 20, 16 << 20))
            service.kill()
        gained_bytes = SIZE_BYTES - missing_bytes(paths, digest, SIZE_BYTES) - kept_bytes
        lost_bytes.append(source.sent_bytes[digest] - sent_bytes - gained_bytes)
    assert not paths.blob(digest).exists(), "it was too fast: nothing was tested"
    source.piece_pause_s = 0.0
    async with service.running():
        await until(paths.blob(digest).exists, within_s=60)

    assert f"sha256:{hashlib.sha256(paths.blob(digest).read_bytes()).hexdigest()}" == digest
    assert max(lost_bytes) <= LOST_BYTES_MAX
    # Else nothing came twice, but for pieces that were sent to a dead process after the count.
    again_bytes = source.sent_bytes[digest] - SIZE_BYTES
    assert 0 <= again_bytes - sum(lost_bytes) <= KILLS_COUNT * RANGES_COUNT * PIECE_BYTES


async def test_a_stopped_registry_leaves_at_once_and_goes_on_when_it_is_back(
    host: str, source: ModelSource, redis_url: str, tmp_path: Path
) -> None:
    """Those who follow a pull would otherwise hold the process for as long as it drains."""
    digest = source.add_weights("team/large:latest", bytes(4 << 20))
    source.open.clear()
    service = RegistryService(redis_url, tmp_path, upstream_hosts=host, drain_s="60")
    async with aiohttp.ClientSession() as http:
        async with service.running():
            body = {"model": f"{host}/team/large", "insecure": True}
            following = await http.post(f"{service.url}/api/pull", json=body)
            await until(lambda: bool(source.ranges))
            async with asyncio.timeout(20):
                assert await service.terminate() == 0
        assert "the pull goes on when it is back" in await following.text()
    source.open.set()
    async with service.running():
        await until(StorePaths(service.models_dir).blob(digest).exists, within_s=30)


async def begin(url: str, model: str) -> None:
    """Nobody ever asks again: the registry itself goes on when it is back."""
    async with aiohttp.ClientSession(url) as http:
        response = await http.post("/api/pull", json={"model": model, "insecure": True})
        assert response.status == 200
        response.close()


async def sent(source: ModelSource, digest: Digest, wanted_bytes: int) -> None:
    await until(lambda: source.sent_bytes[digest] >= wanted_bytes, within_s=30)
