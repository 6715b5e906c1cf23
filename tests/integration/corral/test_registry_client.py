"""Downloads and uploads that go wrong, against a server that does what it is told."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from corral.client import Client
from corral.errors import ApiError, CliError, Unreached
from corral.model_names import parse_model_name
from corral.registry import BROKEN_OFF_MAX, Registry

CONTENT: Final = bytes(range(256)) * 40
DIGEST: Final = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
BOT: Final = parse_model_name("team/bot")


class Unreliable:
    """Serves one blob; each answer breaks off after `piece` bytes as long as `breaks` lasts."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.breaks = 0
        self.piece = 1000
        self.knows_ranges = True
        self.asked: list[str] = []
        self.received = b""
        self.elsewhere = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v2/team/bot/blobs/{digest}", self.read)
        app.router.add_post("/v2/team/bot/blobs/uploads/", self.begin)
        app.router.add_patch("/upload/1", self.take)
        app.router.add_put("/upload/1", self.finish)
        return app

    async def read(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Range", ""))
        start = request.http_range.start or 0 if self.knows_ranges else 0
        response = web.StreamResponse(status=206 if start else 200)
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        response.content_length = len(self.content) - start
        await response.prepare(request)
        if self.breaks:
            self.breaks -= 1
            await response.write(self.content[start : start + self.piece])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(self.content[start:])
        return response

    async def begin(self, request: web.Request) -> web.Response:
        location = f"{self.elsewhere or request.url.origin()}/upload/1?state=a"
        return web.Response(status=202, headers={"Location": location})

    async def take(self, request: web.Request) -> web.Response:
        self.received += await request.read()
        self.asked.append(f"PATCH {request.headers['Content-Range']}")
        return web.Response(status=202, headers={"Location": "/upload/1?state=b"})

    async def finish(self, request: web.Request) -> web.Response:
        self.asked.append(f"PUT {request.query_string}")
        return web.json_response(
            {"errors": [{"code": "DENIED", "message": "no room"}]}, status=507 if self.breaks else 201
        )


@pytest.fixture
async def server() -> Unreliable:
    return Unreliable()


@pytest.fixture
async def registry(server: Unreliable) -> AsyncIterator[Registry]:
    async with TestServer(server.app()) as running:
        with Client(str(running.make_url("")).rstrip("/")) as client:
            yield Registry(client)


async def download(registry: Registry, size: int = len(CONTENT)) -> bytes:
    return await asyncio.to_thread(lambda: b"".join(registry.blob(BOT, DIGEST, size)))


async def upload(registry: Registry, content: bytes = CONTENT) -> None:
    await asyncio.to_thread(registry.upload, BOT, DIGEST, [content[:5000], content[5000:]], len(content))


async def test_a_download_that_breaks_off_goes_on_where_it_was(registry: Registry, server: Unreliable) -> None:
    server.breaks = 3
    assert await download(registry) == CONTENT
    assert server.asked == ["", "bytes=1000-", "bytes=2000-", "bytes=3000-"]


async def test_a_download_that_keeps_breaking_off_is_given_up(registry: Registry, server: Unreliable) -> None:
    server.breaks, server.piece = 100, 0
    with pytest.raises(Unreached):
        await download(registry)
    assert len(server.asked) == 1 + BROKEN_OFF_MAX


async def test_a_server_that_begins_again_is_not_trusted(registry: Registry, server: Unreliable) -> None:
    server.breaks, server.knows_ranges = 1, False
    with pytest.raises(CliError, match="cannot go on"):
        await download(registry)


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", CONTENT[:-1] + b"x", b""])
async def test_other_bytes_than_promised_are_refused(content: bytes, registry: Registry, server: Unreliable) -> None:
    server.content = content
    with pytest.raises(CliError, match="is something else"):
        await download(registry)


async def test_a_blob_the_server_does_not_have_is_a_refusal(registry: Registry) -> None:
    with pytest.raises(ApiError):
        await asyncio.to_thread(lambda: list(registry.blob(parse_model_name("other/bot"), DIGEST, 1)))


@pytest.mark.parametrize("elsewhere", ["", "http://192.0.2.1:1", "https://other.example/"])
async def test_an_upload_follows_the_servers_path_but_never_to_another_address(
    elsewhere: str, registry: Registry, server: Unreliable
) -> None:
    server.elsewhere = elsewhere.rstrip("/")
    await upload(registry)
    assert server.received == CONTENT
    assert server.asked == [f"PATCH 0-{len(CONTENT) - 1}", f"PUT state=b&digest={DIGEST}"]


async def test_damaged_bytes_are_never_finished(registry: Registry, server: Unreliable) -> None:
    with pytest.raises(CliError, match="is damaged"):
        await upload(registry, CONTENT[:-1] + b"x")
    assert [asked.split()[0] for asked in server.asked] == ["PATCH"]


async def test_a_refusal_has_the_registrys_own_words(registry: Registry, server: Unreliable) -> None:
    server.breaks = 1
    with pytest.raises(ApiError, match="no room"):
        await upload(registry)
