"""What passes between clients and the registry: everything, in pieces as they come, in both directions."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from integration.gateway.registry_setup import (
    ADMIN,
    CONFIG,
    WEIGHTS,
    bearer,
    new_key,
)
from integration.gateway.setup import listening, serving, settings
from integration.gateway.stand_in_registry import StandInRegistry, digest_of

BLOB = f"/v2/team/x/blobs/{digest_of(WEIGHTS)}"
SLOW = f"/v2/slow/blobs/{digest_of(CONFIG)}"
WAIT_S = 10


async def upload_address(http: aiohttp.ClientSession, url: str) -> str:
    async with http.post(f"{url}/v2/team/x/blobs/uploads/", headers=ADMIN) as response:
        assert response.status == 202
        return response.headers["Location"]


async def test_a_blob_is_sized_and_read_in_ranges(url: str, http: aiohttp.ClientSession) -> None:
    async with http.head(url + BLOB, headers=ADMIN) as response:
        assert response.status == 200
        assert response.headers["Content-Length"] == str(len(WEIGHTS))
        assert response.headers["Accept-Ranges"] == "bytes"
        assert await response.read() == b""
    async with http.get(url + BLOB, headers={**ADMIN, "Range": "bytes=5-9"}) as response:
        assert (response.status, await response.read()) == (206, WEIGHTS[5:10])
        assert response.headers["Content-Range"] == f"bytes 5-9/{len(WEIGHTS)}"


async def test_the_registrys_own_refusal_comes_through(url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{url}/v2/team/absent/manifests/latest", headers=ADMIN) as response:
        assert response.status == 404
        assert (await response.json())["errors"][0]["code"] == "MANIFEST_UNKNOWN"


async def test_the_registry_learns_where_the_client_reached_us_and_nothing_of_its_key(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry
) -> None:
    claimed = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher", "Accept": "a/b", "If-None-Match": "x"}
    asked = URL(f"{url}/v2/team/x/manifests/latest?n=1&last=a%2Fb", encoded=True)
    async with http.get(asked, headers={**ADMIN, **claimed}) as response:
        request_id = response.headers["X-Request-Id"]
    ((method, path, headers),) = registry.received
    assert (method, path) == ("GET", "/v2/team/x/manifests/latest?n=1&last=a%2Fb")
    assert f"{headers['X-Forwarded-Proto']}://{headers['X-Forwarded-Host']}" == url
    assert (headers["Accept"], headers["If-None-Match"]) == ("a/b", "x")
    assert headers["X-Request-Id"] == request_id
    assert "Authorization" not in headers


async def test_a_blob_is_read_as_it_comes(url: str, http: aiohttp.ClientSession, registry: StandInRegistry) -> None:
    async with asyncio.timeout(WAIT_S), http.get(url + SLOW, headers=ADMIN) as response:
        assert await response.content.readexactly(1000) == b"a" * 1000  # only a gateway that does not buffer gets here
        registry.go_on.set()
        assert await response.content.read() == b"b" * 1000


async def test_an_upload_is_sent_on_as_it_comes_whatever_its_size(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await registry.upload_began.wait()  # only a gateway that does not buffer gets past this
        yield b"x" * 500_000

    location = await upload_address(http, url)
    async with asyncio.timeout(WAIT_S), http.patch(location, data=pieces(), headers=ADMIN) as response:
        assert (response.status, response.headers["Range"]) == (202, "0-500004")
    content = b"first" + b"x" * 500_000
    async with http.put(f"{location}?digest={digest_of(content)}", headers=ADMIN) as response:
        assert (response.status, response.headers["Docker-Content-Digest"]) == (201, digest_of(content))
    assert registry.blobs[digest_of(content)] == content


async def test_a_client_that_waits_for_the_word_to_go_on_gets_it(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry
) -> None:
    async with http.patch(await upload_address(http, url), data=b"abc", headers=ADMIN, expect100=True) as response:
        assert response.status == 202
    assert bytes(registry.uploads["0"]) == b"abc"


async def test_leaving_a_download_ends_it_at_the_registry(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry
) -> None:
    async with http.get(url + SLOW, headers=ADMIN) as response:
        await response.content.readexactly(1000)
        response.close()
    await asyncio.wait_for(registry.cancelled.wait(), WAIT_S)


async def test_leaving_an_upload_ends_it_at_the_registry(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    uploading = asyncio.create_task(_patch(http, await upload_address(http, url), endless()))
    await asyncio.wait_for(registry.upload_began.wait(), WAIT_S)
    uploading.cancel()
    await asyncio.gather(uploading, return_exceptions=True)
    await asyncio.wait_for(registry.cancelled.wait(), WAIT_S)


async def _patch(http: aiohttp.ClientSession, url: str, body: AsyncIterator[bytes]) -> int:
    async with http.patch(url, data=body, headers=ADMIN) as response:
        return response.status


class Abrupt:
    """A registry that refuses an upload before reading it, or breaks off in the middle of a blob."""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_patch("/v2/{tail:.*}", self._refuse)
        app.router.add_get("/v2/{tail:.*}", self._break_off)
        return app

    async def _refuse(self, request: web.Request) -> web.Response:
        return web.json_response({"errors": [{"code": "BLOB_UPLOAD_INVALID", "message": "no"}]}, status=416)

    async def _break_off(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "2000"})
        await response.prepare(request)
        await response.write(b"a" * 1000)
        assert request.transport is not None
        request.transport.abort()
        return response


@pytest.fixture
async def abrupt_url(redis_url: str) -> AsyncIterator[str]:
    async with (
        listening(Abrupt().app()) as registry_url,
        serving(settings(redis_url, registry_url=registry_url)) as url,
    ):
        yield url


async def test_an_upload_that_is_refused_before_it_is_read_ends_with_the_refusal(
    abrupt_url: str, http: aiohttp.ClientSession
) -> None:
    async def much() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * (1 << 20)

    async with asyncio.timeout(WAIT_S), http.patch(f"{abrupt_url}/v2/x/y/blobs/uploads/1", data=much()) as response:
        assert response.status == 416
        assert (await response.json())["errors"][0]["code"] == "BLOB_UPLOAD_INVALID"


async def test_a_blob_that_breaks_off_is_not_taken_for_whole(abrupt_url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(abrupt_url + BLOB) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_registry_that_is_gone_is_an_error_of_the_protocol(redis_url: str, http: aiohttp.ClientSession) -> None:
    async with (
        serving(settings(redis_url, registry_url="http://127.0.0.1:9")) as url,
        http.get(f"{url}/v2/") as response,
    ):
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert (await response.json())["errors"][0]["message"] == "the registry cannot be reached, please try again"


async def test_a_slow_reader_holds_the_registry_back(redis_url: str, http: aiohttp.ClientSession) -> None:
    """More than all buffers between the two can hold does not leave the registry while nobody reads."""
    pieces_count, piece = 64, bytes(1 << 20)
    all_sent = asyncio.Event()

    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(pieces_count * len(piece))})
        await response.prepare(request)
        for _ in range(pieces_count):
            await response.write(piece)
        all_sent.set()
        return response

    app = web.Application()
    app.router.add_get("/v2/{tail:.*}", pour)
    async with (
        listening(app) as registry_url,
        serving(settings(redis_url, registry_url=registry_url)) as url,
        http.get(url + BLOB) as response,
    ):
        await response.content.readexactly(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(all_sent.wait(), 0.5)
        assert len(await response.read()) == pieces_count * len(piece) - 1
        assert all_sent.is_set()


async def test_pulls_and_transfers_pass_with_their_progress(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry
) -> None:
    async with (
        asyncio.timeout(WAIT_S),
        http.post(f"{url}/api/pull", json={"model": "x"}, headers=ADMIN) as response,
    ):
        assert response.headers["Content-Type"] == "application/x-ndjson"
        assert await response.content.readline() == b'{"status":"pulling manifest"}\n'
        registry.go_on.set()
        assert await response.content.read() == b'{"status":"success"}\n'
    user = bearer((await new_key(http, url))["key"])
    async with http.get(f"{url}/api/transfers", headers=user) as response:
        assert await response.json() == {"transfers": []}
    async with http.delete(f"{url}/api/transfers/t1", headers=ADMIN) as response:
        assert response.status == 200
    assert [received[:2] for received in registry.received] == [
        ("POST", "/api/pull"),
        ("GET", "/api/transfers"),
        ("DELETE", "/api/transfers/t1"),
    ]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/pull"), ("POST", "/api/push"), ("DELETE", "/api/transfers/t1")]
)
async def test_moving_models_needs_the_role_admin(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry, method: str, path: str
) -> None:
    user = bearer((await new_key(http, url))["key"])
    async with http.request(method, url + path, json={"model": "x"}, headers=user) as response:
        assert response.status == 403
    assert registry.received == []


async def test_many_clients_read_at_once(url: str, http: aiohttp.ClientSession) -> None:
    async def read() -> str:
        async with http.get(url + BLOB, headers=ADMIN) as response:
            return "sha256:" + hashlib.sha256(await response.read()).hexdigest()

    assert set(await asyncio.gather(*(read() for _ in range(30)))) == {digest_of(WEIGHTS)}


async def test_a_path_reaches_the_registry_in_the_one_spelling_that_was_checked(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry
) -> None:
    async with http.get(URL(url + BLOB.replace(":", "%3A"), encoded=True), headers=ADMIN) as response:
        assert (response.status, await response.read()) == (200, WEIGHTS)
    assert [path for _, path, _ in registry.received] == [BLOB]
