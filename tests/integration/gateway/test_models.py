"""Model management through the gateway: what the registry says comes back as it was said, in pieces as they come."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS, model_entry
from fakes.worker import ScriptedWorker, say
from integration.gateway.setup import TINY, listening, serving, settings
from shared.model_index import ModelIndex


class ScriptedRegistry:
    """Answers the registry's routes and keeps what it was sent."""

    def __init__(self, redis: Redis) -> None:
        self._index = ModelIndex(redis)
        self.received: list[tuple[str, str, bytes]] = []
        self.uploaded = bytearray()
        self.upload_began = asyncio.Event()
        self.go_on = asyncio.Event()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/tags", self._tags)
        app.router.add_post("/api/show", self._show)
        app.router.add_post("/api/create", self._create)
        app.router.add_delete("/api/delete", self._delete)
        app.router.add_head("/api/blobs/{digest}", self._blob)
        app.router.add_post("/api/blobs/{digest}", self._upload)
        return app

    async def _note(self, request: web.Request) -> None:
        self.received.append((request.method, request.path_qs, await request.read()))

    async def _tags(self, request: web.Request) -> web.Response:
        await self._note(request)
        return web.json_response({"models": []})

    async def _show(self, request: web.Request) -> web.Response:
        await self._note(request)
        return web.json_response({"error": "model 'x:latest' not found"}, status=404)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        await self._note(request)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        await response.write(b'{"status":"parsing GGUF"}\n')
        await self.go_on.wait()
        if b"cut" in self.received[-1][2]:
            assert request.transport is not None
            request.transport.abort()
            return response
        await response.write(b'{"status":"success"}\n')
        return response

    async def _delete(self, request: web.Request) -> web.Response:
        await self._note(request)
        left = [entry for entry in await self._index.all() if entry.name.model != "tiny"]
        await self._index.publish(left)
        return web.Response()

    async def _blob(self, request: web.Request) -> web.Response:
        await self._note(request)
        return web.Response(status=404)

    async def _upload(self, request: web.Request) -> web.Response:
        async for chunk in request.content.iter_any():
            self.uploaded += chunk
            self.upload_began.set()
        return web.Response(status=201)


@pytest.fixture
def registry(redis: Redis) -> ScriptedRegistry:
    return ScriptedRegistry(redis)


@pytest.fixture
async def managed_url(redis: Redis, redis_url: str, registry: ScriptedRegistry) -> AsyncIterator[str]:
    await ModelIndex(redis).publish([TINY])
    async with (
        listening(registry.app()) as registry_url,
        serving(settings(redis_url, registry_url=registry_url, body_bytes_max=1024)) as url,
    ):
        yield url


async def test_status_and_body_come_back_as_the_registry_gave_them(
    managed_url: str, http: aiohttp.ClientSession, registry: ScriptedRegistry
) -> None:
    async with http.get(f"{managed_url}/api/tags") as response:
        assert (response.status, await response.json()) == (200, {"models": []})
    async with http.post(f"{managed_url}/api/show", data=b'{"name":"x"}') as response:
        assert (response.status, await response.json()) == (404, {"error": "model 'x:latest' not found"})
    async with http.head(f"{managed_url}/api/blobs/sha256:ab") as response:
        assert response.status == 404
    assert registry.received == [
        ("GET", "/api/tags", b""),
        ("POST", "/api/show", b'{"name":"x"}'),
        ("HEAD", "/api/blobs/sha256:ab", b""),
    ]


async def test_progress_comes_through_as_it_happens(
    managed_url: str, http: aiohttp.ClientSession, registry: ScriptedRegistry
) -> None:
    async with http.post(f"{managed_url}/api/create", data=b"{}") as response:
        assert response.headers["Content-Type"] == "application/x-ndjson"
        assert await response.content.readline() == b'{"status":"parsing GGUF"}\n'
        registry.go_on.set()
        assert await response.content.read() == b'{"status":"success"}\n'


async def test_a_registry_that_goes_away_in_mid_stream_is_a_last_error_line(
    managed_url: str, http: aiohttp.ClientSession, registry: ScriptedRegistry
) -> None:
    async with http.post(f"{managed_url}/api/create", data=b'{"cut":1}') as response:
        assert await response.content.readline() == b'{"status":"parsing GGUF"}\n'
        registry.go_on.set()
        assert await response.content.read() == b'{"error":"the registry went away; please try again"}\n'


async def test_a_blob_passes_in_pieces_and_may_be_larger_than_any_json(
    managed_url: str, http: aiohttp.ClientSession, registry: ScriptedRegistry
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await registry.upload_began.wait()  # only a gateway that does not buffer gets past this
        yield b"x" * 5000

    async with http.post(f"{managed_url}/api/blobs/sha256:ab", data=pieces()) as response:
        assert response.status == 201
    assert bytes(registry.uploaded) == b"first" + b"x" * 5000


async def test_deleting_a_model_unloads_it_where_it_is_resident(
    managed_url: str, http: aiohttp.ClientSession, redis: Redis, redis_url: str
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running() as worker:
        async with http.delete(f"{managed_url}/api/delete", json={"name": "tiny"}) as response:
            assert response.status == 200
        await worker.until(lambda: not worker.is_resident)


async def test_deleting_a_model_keeps_weights_that_another_name_shares(
    managed_url: str, http: aiohttp.ClientSession, redis: Redis, redis_url: str
) -> None:
    await ModelIndex(redis).publish([TINY, model_entry("other")])
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running() as worker:
        async with http.delete(f"{managed_url}/api/delete", json={"model": "tiny"}) as response:
            assert response.status == 200
        assert worker.is_resident


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/tags"), ("POST", "/api/blobs/sha256:ab")])
async def test_a_registry_that_cannot_be_reached_is_503(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, method: str, path: str
) -> None:
    async with (
        serving(settings(redis_url, registry_url="http://127.0.0.1:9")) as url,
        http.request(method, url + path, data=b"abc" if method == "POST" else None) as response,
    ):
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert await response.json() == {"error": "the registry cannot be reached, please try again"}
