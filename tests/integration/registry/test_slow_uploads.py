"""Pushes and creations that take longer than the grace period: what was sent first is still there at the end."""

import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fakes.clock import FakeClock
from fakes.polling import until
from fakes.registry_clients import RegistryClient
from fakes.small_models import small_model
from services.registry.blob_store import BlobStore
from services.registry.distribution.dialect import dialect
from services.registry.distribution.routes import add_distribution_routes
from services.registry.handlers.blobs import BlobHandlers
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore
from services.registry.paths import StorePaths
from services.registry.quota import Quota, usage_of
from shared.clock import SystemClock
from shared.digest import digest_of

GRACE_S = 1000.0
FIRST, CHUNK = b"sent first", bytes(2 << 20)
SECOND = CHUNK * 4


class Store:
    """A registry's blobs, whose clock goes on while bodies are sent."""

    def __init__(self, folder: Path) -> None:
        async def unchanged() -> None: ...

        self.paths = StorePaths(folder)
        self.paths.create_folders()
        self.blobs = BlobStore(self.paths)
        self.manifests = ManifestStore(self.paths, self.blobs)
        self.clock = FakeClock(start_unix_ms=SystemClock().unix_ms())
        self.library = ModelLibrary(self.manifests, self.blobs, unchanged, grace_s=GRACE_S, clock=self.clock)
        self.quota = Quota(lambda: usage_of(self.paths, counted=False), bytes_max=0)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[dialect])
        BlobHandlers(self.blobs, self.library, self.quota, upload_idle_s=30).add_routes(app)
        add_distribution_routes(
            app,
            paths=self.paths,
            blobs=self.blobs,
            manifests=self.manifests,
            library=self.library,
            quota=self.quota,
            mirror=None,
            upload_idle_s=30,
        )
        return app

    def received_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.paths.blobs.glob("upload-*"))

    def _has_more_than(self, size_bytes: int) -> bool:
        return self.received_bytes() > size_bytes

    async def slow_body(self) -> AsyncIterator[bytes]:
        """SECOND, so slowly that all that is not renewed expires; with a collection after every chunk."""
        for _ in range(len(SECOND) // len(CHUNK)):
            self.clock.advance(GRACE_S * 0.6)
            before = self.received_bytes()
            yield CHUNK
            await until(functools.partial(self._has_more_than, before))
            now_s = self.clock.unix_ms() / 1000
            for path in self.paths.blobs.glob("upload-*"):
                os.utime(path, (now_s, now_s))
            await self.library.collect()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
async def http(store: Store) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        TestServer(store.app(), host="127.0.0.1") as server,
        aiohttp.ClientSession(server.make_url("/")) as session,
    ):
        assert await RegistryClient(session, "team/kept").push(small_model()) == 201
        yield session


async def created(http: aiohttp.ClientSession, content: bytes, body: Callable[[], AsyncIterator[bytes]] | None) -> int:
    async with http.post(f"/api/blobs/{digest_of(content)}", data=body() if body else content) as response:
        return response.status


async def pushed(http: aiohttp.ClientSession, content: bytes, body: Callable[[], AsyncIterator[bytes]] | None) -> int:
    url = f"/v2/team/bot/blobs/uploads/?digest={digest_of(content)}"
    async with http.post(url, data=body() if body else content) as response:
        return response.status


@pytest.mark.parametrize("send", [created, pushed])
async def test_what_was_sent_before_a_slow_body_stays(
    store: Store, http: aiohttp.ClientSession, send: Callable[..., Awaitable[int]]
) -> None:
    assert await send(http, FIRST, None) == 201
    assert await send(http, SECOND, store.slow_body) == 201
    await store.library.collect()
    assert store.blobs.read(digest_of(FIRST)) == FIRST
    assert store.blobs.size_bytes(digest_of(SECOND)) == len(SECOND)
