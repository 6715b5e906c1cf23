"""Ollama's error matrix (compat 4.16) and the same failures in OpenAI's envelope."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from redis.asyncio import Redis

from integration.gateway.setup import TINY, serving, settings
from shared.model_index import ModelIndex

CASES: list[tuple[str, bytes, int, str]] = [
    ("generate", b"", 400, "missing request body"),
    ("chat", b"", 400, "missing request body"),
    ("generate", b"x", 400, "invalid character 'x' looking for beginning of value"),
    ("chat", b'{"model":', 400, "unexpected EOF"),
    (
        "chat",
        b'{"model":1}',
        400,
        "json: cannot unmarshal number into Go struct field ChatRequest.model of type string",
    ),
    ("generate", b"{}", 404, "model '' not found"),
    ("chat", b"{}", 400, "model is required"),
    ("generate", b'{"model":"a//b"}', 400, "invalid model name"),
    ("chat", b'{"model":"a//b"}', 400, "invalid model name"),
    ("generate", b'{"model":"absent"}', 404, "model 'absent' not found"),
    ("chat", b'{"model":"absent"}', 404, "model 'absent' not found"),
    ("generate", b'{"model":"tiny","top_logprobs":21}', 400, "top_logprobs must be between 0 and 20"),
    ("chat", b'{"model":"tiny","top_logprobs":-1}', 400, "top_logprobs must be between 0 and 20"),
    ("generate", b'{"model":"embedder","prompt":"a"}', 400, '"embedder" does not support generate'),
    ("generate", b'{"model":"embedder"}', 400, '"embedder" does not support generate'),
    ("chat", b'{"model":"embedder"}', 400, '"embedder" does not support chat'),
    (
        "chat",
        b'{"model":"tiny","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function"}]}',
        400,
        "registry.ollama.ai/library/tiny:latest does not support tools",
    ),
    (
        "generate",
        b'{"model":"tiny","prompt":"a","suffix":"b"}',
        400,
        "registry.ollama.ai/library/tiny:latest does not support insert",
    ),
    ("generate", b'{"model":"tiny","prompt":"a","think":true}', 400, '"tiny" does not support thinking'),
    ("chat", b'{"model":"tiny","think":"high"}', 400, '"tiny" does not support thinking'),
    (
        "chat",
        b'{"model":"tiny","think":"some"}',
        400,
        'invalid think value: "some" (must be "high", "medium", "low", "max", true, or false)',
    ),
    ("generate", b'{"model":"tiny","prompt":"a","images":["aGk="]}', 400, '"tiny" does not support images'),
    (
        "generate",
        b'{"model":"tiny","prompt":"a","raw":true,"system":"b"}',
        400,
        "raw mode does not support template, system, or context",
    ),
    (
        "generate",
        b'{"model":"tiny","prompt":"a","options":{"temperature":"hot"}}',
        500,
        'option "temperature" must be of type float32',
    ),
    ("chat", b'{"model":"tiny","options":{"stop":"a"}}', 500, 'option "stop" must be of type array'),
    ("chat", b'{"model":"tiny","keep_alive":"5"}', 400, 'time: missing unit in duration "5"'),
    ("chat", b'{"model":"tiny","keep_alive":"abc"}', 400, 'time: invalid duration "abc"'),
    ("chat", b'{"model":"tiny","keep_alive":true}', 400, "Unsupported type: 'bool'"),
    (
        "chat",
        b'{"model":"tiny","format":"xml"}',
        500,
        'invalid format: "\\"xml\\""; expected "json" or a valid JSON Schema object',
    ),
    (
        "chat",
        b'{"model":"tiny","messages":[{"role":"user","content":[]}]}',
        400,
        "json: cannot unmarshal array into Go struct field Alias.content of type string",
    ),
]


@pytest.mark.parametrize(("route", "body", "status", "text"), CASES)
async def test_an_error_has_the_status_and_the_text_of_ollama(
    gateway_url: str, http: aiohttp.ClientSession, route: str, body: bytes, status: int, text: str
) -> None:
    async with http.post(f"{gateway_url}/api/{route}", data=body) as response:
        assert await response.json() == {"error": text}
        assert response.status == status


def chat_with(**fields: object) -> bytes:
    return json.dumps({"model": "tiny", "messages": [{"role": "user", "content": "a"}], **fields}).encode()


OPENAI_CASES: list[tuple[bytes, int, str, str]] = [
    (b"", 400, "EOF", "invalid_request_error"),
    (b'{"model":"tiny","messages":[]}', 400, "[] is too short - 'messages'", "invalid_request_error"),
    (chat_with(model=""), 400, "model is required", "invalid_request_error"),
    (chat_with(model="absent"), 404, "model 'absent' not found", "not_found_error"),
    (chat_with(model="embedder"), 400, '"embedder" does not support chat', "invalid_request_error"),
    (
        chat_with(tools=[{"type": "function"}]),
        400,
        "a tool needs a name",
        "invalid_request_error",
    ),
    (
        chat_with(tools=[{"type": "function", "function": {"name": "f"}}]),
        400,
        "registry.ollama.ai/library/tiny:latest does not support tools",
        "invalid_request_error",
    ),
    (chat_with(reasoning_effort="low"), 400, '"tiny" does not support thinking', "invalid_request_error"),
    (
        chat_with(messages=[{"role": "user"}]),
        400,
        "invalid message content type: <nil>",
        "invalid_request_error",
    ),
    (
        chat_with(messages=[{"role": "user", "content": 1}]),
        400,
        "invalid message content type: float64",
        "invalid_request_error",
    ),
    (
        chat_with(
            messages=[{"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png;base64,aGk="}]}]
        ),
        400,
        '"tiny" does not support images',
        "invalid_request_error",
    ),
]


@pytest.mark.parametrize(("body", "status", "text", "kind"), OPENAI_CASES)
async def test_an_error_of_the_openai_route_has_its_envelope(
    gateway_url: str, http: aiohttp.ClientSession, body: bytes, status: int, text: str, kind: str
) -> None:
    async with http.post(f"{gateway_url}/v1/chat/completions", data=body) as response:
        assert await response.json() == {"error": {"message": text, "type": kind, "param": None, "code": None}}
        assert response.status == status


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/api/nothing", 404, "404 page not found"),
        ("GET", "/api/show", 405, "405 method not allowed"),
        ("GET", "/api/generate", 405, "405 method not allowed"),
    ],
)
async def test_unknown_routes_and_methods_answer_in_plain_text(
    gateway_url: str, http: aiohttp.ClientSession, method: str, path: str, status: int, text: str
) -> None:
    async with http.request(method, gateway_url + path) as response:
        assert (response.status, await response.text()) == (status, text)
        assert response.content_type == "text/plain"


@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("POST", 307)])
async def test_a_trailing_slash_is_redirected_away(
    gateway_url: str, http: aiohttp.ClientSession, method: str, status: int
) -> None:
    path = "/api/ps" if method == "GET" else "/api/chat"
    async with http.request(method, f"{gateway_url}{path}/?a=b", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (status, path + "?a=b")


@pytest.fixture
async def narrow_url(redis: Redis, redis_url: str) -> AsyncIterator[str]:
    await ModelIndex(redis).publish([TINY])
    async with serving(settings(redis_url, body_bytes_max=1024)) as url:
        yield url


async def test_a_body_of_just_the_limit_is_read(narrow_url: str, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{narrow_url}/api/chat", data=b"{}".ljust(1024)) as response:
        assert response.status == 400
        assert await response.json() == {"error": "model is required"}


async def test_a_body_one_byte_beyond_the_limit_is_refused(narrow_url: str, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{narrow_url}/api/chat", data=b"{}".ljust(1025)) as response:
        assert response.status == 413
        assert await response.json() == {"error": "the request body has 1025 bytes; at most 1024 are accepted"}


async def test_a_body_of_unknown_length_is_refused_when_it_grows_too_large(
    narrow_url: str, http: aiohttp.ClientSession
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 512

    async with http.post(f"{narrow_url}/api/chat", data=chunks()) as response:
        assert response.status == 413
        assert await response.json() == {"error": "the request body has more than the 1024 bytes that are accepted"}
