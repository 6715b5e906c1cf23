"""From one Corral to another: what is pushed is served, and a broken upload goes on where it stood."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from harness.cutting_proxy import CuttingProxy
from integration.registry.upstream.setup import model_at, read_range, repository_at, upstream_to
from services.registry.app import build_app
from services.registry.blob_store import BlobStore
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore, encode_manifest
from services.registry.settings import Settings
from services.registry.transfers.push import push
from shared.digest import digest_of
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, Manifest, MediaType
from shared.settings import Secret

WEIGHTS = os.urandom(500_000)
DIGEST = digest_of(WEIGHTS)
CONFIG = b'{"model_format":"gguf"}'


@pytest.fixture
async def corral(tmp_path: Path, redis_url: str) -> AsyncIterator[str]:
    settings = Settings(models_dir=str(tmp_path / "other"), redis_url=Secret(redis_url))
    server = TestServer(build_app(settings), host="127.0.0.1")
    await server.start_server()
    yield f"127.0.0.1:{server.port}"
    await server.close()


async def test_a_pushed_model_is_read_back(
    corral: str, blobs: BlobStore, manifests: ManifestStore, library: ModelLibrary
) -> None:
    name = model_at(corral)
    weights, _ = await blobs.commit_bytes(WEIGHTS)
    config, _ = await blobs.commit_bytes(CONFIG)
    manifest = Manifest(
        config=Layer(media_type=CONFIG_MEDIA_TYPE, digest=config, size=len(CONFIG)),
        layers=(Layer(media_type=MediaType.MODEL, digest=weights, size=len(WEIGHTS)),),
    )
    manifests.write(name, encode_manifest(manifest))
    async with upstream_to(corral) as upstream:
        async for _ in push(name, upstream, manifests, blobs, library, insecure=True):
            pass
    async with repository_at(corral) as repository:
        assert await repository.manifest() == encode_manifest(manifest).rstrip()
        assert await repository.blob_size(DIGEST) == len(WEIGHTS)
        assert await read_range(repository, DIGEST, 17, 400_000) == WEIGHTS[17:400_000]


async def test_a_broken_upload_goes_on_where_it_stood(corral: str, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(WEIGHTS)
    told: list[int] = []
    async with CuttingProxy(corral).running() as proxy:
        upstream = upstream_to(proxy.address, part_bytes=100_000)
        async with repository_at(proxy.address, upstream) as repository:
            proxy.cut_up = 250_000
            await repository.upload_blob(DIGEST, path, mount_from="", on_progress=told.append)
            assert await repository.has_blob(DIGEST)
        assert proxy.cuts_count == 1
    assert min(told) > 0
    assert told[-1] == len(WEIGHTS)
