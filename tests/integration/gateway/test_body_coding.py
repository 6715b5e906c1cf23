"""Compressed requests as clients send them, and the refusals in each client's dialect."""

import gzip
import json
from collections.abc import AsyncIterator

import aiohttp
import httpx
import pytest
import zstandard
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.worker import ScriptedWorker, say

CHAT = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}).encode()
V1_CHAT = "/v1/chat/completions"


@pytest.fixture
async def worker(redis: Redis, redis_url: str) -> AsyncIterator[ScriptedWorker]:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hello")).running() as worker:
        yield worker


@pytest.mark.parametrize("path", [V1_CHAT, "/v1/messages", "/api/chat"])
@pytest.mark.parametrize(("coding", "packed"), [("zstd", zstandard.compress(CHAT)), ("gzip", gzip.compress(CHAT))])
async def test_a_compressed_request_is_answered_like_a_plain_one(
    gateway_url: str, worker: ScriptedWorker, path: str, coding: str, packed: bytes
) -> None:
    async with httpx.AsyncClient(base_url=gateway_url) as client:
        headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
        response = await client.post(path, content=packed, headers=headers)
    assert response.status_code == 200, response.text
    assert "Hello" in response.text


async def test_a_compressed_request_may_arrive_in_chunks(
    gateway_url: str, worker: ScriptedWorker, http: aiohttp.ClientSession
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        packed = zstandard.compress(CHAT)
        for index in range(0, len(packed), 7):
            yield packed[index : index + 7]

    async with http.post(gateway_url + V1_CHAT, data=pieces(), headers={"Content-Encoding": "zstd"}) as response:
        assert response.status == 200, await response.text()


@pytest.mark.parametrize(
    ("coding", "body", "status", "says"),
    [
        ("zstd", b"no zstd", 400, "the request body is not valid zstd data"),
        ("zstd", zstandard.compress(CHAT)[:-2], 400, "the request body is cut off: its zstd data has no end"),
        ("gzip", b"no gzip", 400, "the request body is not valid gzip data"),
        ("zstd", zstandard.compress(bytes(64 << 20)), 413, "more than 20971520 bytes when it is decompressed"),
        ("br", CHAT, 415, "a request body with Content-Encoding 'br' cannot be read: use gzip or zstd"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused_in_the_callers_dialect(
    gateway_url: str, http: aiohttp.ClientSession, coding: str, body: bytes, status: int, says: str
) -> None:
    messages = {}
    for path in (V1_CHAT, "/v1/messages", "/api/chat"):
        async with http.post(gateway_url + path, data=body, headers={"Content-Encoding": coding}) as response:
            assert response.status == status
            messages[path] = await response.json()
    assert says in messages[V1_CHAT]["error"]["message"]
    assert messages["/v1/messages"]["type"] == "error"
    assert says in messages["/v1/messages"]["error"]["message"]
    assert says in messages["/api/chat"]["error"]
