"""The index in Redis follows the store, whoever changes the one and whatever happens to the other."""

import shutil
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from fakes import gguf_files as fake
from fakes.polling import until
from services.registry.app import build_app
from services.registry.blob_store import BlobStore
from services.registry.catalog import Catalog
from services.registry.headers import Headers
from services.registry.index_publisher import IndexPublisher
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore, encode_manifest
from services.registry.paths import StorePaths
from services.registry.settings import Settings
from shared import keys, redis_client
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, Manifest, MediaType
from shared.model_index import ModelIndex
from shared.model_name import parse_model_name
from shared.settings import Secret


class Store:
    """A store without the HTTP around it."""

    def __init__(self, folder: Path, redis: Redis) -> None:
        paths = StorePaths(folder)
        paths.create_folders()
        self.blobs = BlobStore(paths)
        self.manifests = ManifestStore(paths, self.blobs)
        catalog = Catalog(self.manifests, self.blobs, Headers(self.blobs))
        self.index = ModelIndex(redis)
        self.publisher = IndexPublisher(self.index, catalog, self.manifests)
        self.library = ModelLibrary(self.manifests, self.blobs, changed=self.publisher.publish)

    async def add(self, name: str, content: bytes | None = None, params: bytes = b"{}") -> None:
        layers = {CONFIG_MEDIA_TYPE: b"{}", MediaType.MODEL: content or fake.tiny_model(), MediaType.PARAMS: params}
        config, *rest = [
            Layer(media_type=kind, digest=(await self.blobs.commit_bytes(body))[0], size=len(body))
            for kind, body in layers.items()
        ]
        manifest = encode_manifest(Manifest(config=config, layers=tuple(rest)))
        await self.library.put(parse_model_name(name), manifest)

    async def published(self) -> list[str]:
        return [entry.name.short for entry in await self.index.all()]


@pytest.fixture
def store(tmp_path: Path, redis: Redis) -> Store:
    return Store(tmp_path, redis)


async def test_every_change_is_published(store: Store) -> None:
    await store.add("a", params=b'{"num_ctx":2048,"unknown":1,"stop":["x"]}')
    await store.library.copy(parse_model_name("a"), parse_model_name("b"))
    assert sorted(await store.published()) == ["a:latest", "b:latest"]
    entry = await store.index.find(parse_model_name("A"))
    assert entry is not None
    assert entry.params == {"num_ctx": 2048, "stop": ["x"]}
    await store.library.delete(parse_model_name("a"))
    assert await store.published() == ["b:latest"]


async def test_an_index_that_redis_lost_is_published_again(store: Store, redis: Redis) -> None:
    await store.add("a")
    await redis.flushall()
    await store.publisher.check()
    assert await store.published() == ["a:latest"]


async def test_an_index_that_is_as_it_should_be_is_left_alone(store: Store, redis: Redis) -> None:
    await store.add("a")
    body = (await redis.hgetall(keys.MODELS)).popitem()[1]  # type: ignore[misc]
    await redis.delete(keys.MODELS)
    await redis.hset(keys.MODELS, "marked", body)  # type: ignore[misc]
    await store.publisher.check()
    assert await redis.hkeys(keys.MODELS) == [b"marked"]  # type: ignore[misc]


async def test_a_change_somebody_else_made_to_the_store_is_noticed(store: Store, tmp_path: Path) -> None:
    await store.add("a")
    library = tmp_path / "manifests/registry.ollama.ai/library"
    shutil.copytree(library / "a", library / "z")
    shutil.rmtree(library / "a")
    await store.publisher.check()
    assert await store.published() == ["z:latest"]


async def test_models_that_cannot_be_served_are_left_out(store: Store) -> None:
    await store.add("good")
    await store.add("broken", content=b"GGUF but no more")
    await store.add("senseless", params=b'{"stop":"x"}')
    assert await store.published() == ["good:latest"]


async def test_a_blob_somebody_builds_with_is_not_collected(store: Store) -> None:
    await store.add("a")
    weights = next(iter(store.manifests.read(parse_model_name("a")).manifest.layers)).digest
    async with store.library.hold([weights]):
        await store.library.delete(parse_model_name("a"))
        assert store.blobs.size_bytes(weights) is not None


@pytest.fixture
def late_redis(tmp_path: Path, redis_url: str) -> tuple[str, Path, Path]:
    """An address where Redis will answer once the link there points to the real socket."""
    return f"unix://{tmp_path}/late.sock", tmp_path / "late.sock", Path(redis_url.removeprefix("unix://"))


async def test_the_registry_serves_without_redis_and_publishes_when_it_is_back(
    tmp_path: Path, redis: Redis, late_redis: tuple[str, Path, Path]
) -> None:
    url, link, socket = late_redis
    server = TestServer(build_app(Settings(models_dir=str(tmp_path / "m"), redis_url=Secret(url))), host="127.0.0.1")
    await server.start_server()
    try:
        async with aiohttp.ClientSession(server.make_url("/")) as http:
            async with http.get("/api/tags") as response:
                assert await response.json() == {"models": []}
            async with http.get("/readyz") as response:
                assert response.status == 503
                assert "Redis cannot be reached" in await response.text()
            async with http.get("/healthz") as response:
                assert response.status == 200
    finally:
        await server.close()
    late = redis_client.connect(url)
    store = Store(tmp_path / "m", late)
    await store.add("a")
    assert store.publisher.problem is not None
    link.symlink_to(socket)
    await store.publisher.check()
    assert store.publisher.problem is None
    await late.aclose()
    assert [entry.name.short for entry in await ModelIndex(redis).all()] == ["a:latest"]


async def test_a_started_registry_publishes_and_is_ready(tmp_path: Path, redis: Redis, redis_url: str) -> None:
    await Store(tmp_path / "m", redis).add("a")
    await redis.flushall()
    server = TestServer(
        build_app(Settings(models_dir=str(tmp_path / "m"), redis_url=Secret(redis_url))), host="127.0.0.1"
    )
    await server.start_server()
    try:
        async with aiohttp.ClientSession(server.make_url("/")) as http:

            async def ready() -> bool:
                async with http.get("/readyz") as response:
                    return response.status == 200

            await until(ready)
        assert [entry.name.short for entry in await ModelIndex(redis).all()] == ["a:latest"]
    finally:
        await server.close()
