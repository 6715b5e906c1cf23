"""How much one client may send: bodies, requests a second, connections at once."""

import asyncio
import json
from pathlib import Path

import pytest
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.worker import ScriptedWorker, Stage
from integration.gateway.registry_setup import ADMIN_KEY
from integration.nginx.front_door import FrontDoor
from integration.nginx.raw import ask
from services.gateway.settings import Settings

JSON_BYTES_MAX = 64 << 20
MANY_BYTES = 1 << 40
WAIT_S = 10
DIALECTS = ("/api/chat", "/v1/chat/completions", "/v1/messages", "/v2/team/x/manifests/latest")


def test_nginx_and_the_gateway_agree_on_the_size_of_json() -> None:
    assert Settings().body_bytes_max == JSON_BYTES_MAX


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions", "/api/keys", "/"])
async def test_a_json_body_is_read_up_to_the_limit_and_refused_beyond(door: FrontDoor, path: str) -> None:
    accepted = await ask(door, path, method="POST", Content_Length=str(JSON_BYTES_MAX), Expect="100-continue")
    refused = await ask(door, path, method="POST", Content_Length=str(JSON_BYTES_MAX + 1), Expect="100-continue")
    assert (accepted.status, refused.status) == (100, 413)
    assert "http: request body too large" in refused.body.decode()
    assert refused.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/blobs/sha256:0"), ("PATCH", "/v2/a/b/blobs/uploads/1")])
async def test_a_blob_may_have_any_size(door: FrontDoor, method: str, path: str) -> None:
    reply = await ask(door, path, method=method, Content_Length=str(MANY_BYTES), Expect="100-continue")
    assert reply.status == 100


def shape(body: object) -> object:
    """A body without its texts."""
    if isinstance(body, dict):
        return {key: shape(value) for key, value in body.items()}
    return [shape(entry) for entry in body] if isinstance(body, list) else type(body)


@pytest.mark.parametrize("path", DIALECTS)
async def test_too_many_requests_are_refused_as_the_gateway_refuses(
    tmp_path: Path, gateway_address: str, path: str
) -> None:
    limits = {"EDGE_REQUESTS_PER_SECOND": "1", "EDGE_REQUESTS_BURST": "1"}
    door = FrontDoor(tmp_path)
    async with door.running(EDGE_GATEWAY=gateway_address, **limits), door.client() as http:
        replies = []
        for index in range(5):
            # Whoever claims another address each time is still the same client.
            async with http.get(path, headers={"X-Forwarded-For": f"192.0.2.{index}"}) as response:
                replies.append((response.status, response.headers, await response.text()))
    _, headers, body = replies[-1]
    assert [status == 429 for status, _, _ in replies[1:]].count(True) >= 2, replies
    assert (headers["Content-Type"], headers["Retry-After"]) == ("application/json", "1")
    assert "too many requests from this address" in body
    assert headers["X-Request-Id"]
    if path.startswith(("/v1/messages", "/v2/")):  # a path the gateway itself refuses in JSON, without a key
        assert shape(json.loads(body)) == shape(json.loads(replies[0][2]))


async def test_one_address_has_so_many_connections_and_no_more(
    tmp_path: Path, gateway_address: str, redis: Redis, redis_url: str
) -> None:
    heard = asyncio.Event()

    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.say("a")
        await heard.wait()
        await stage.finish()

    door = FrontDoor(tmp_path)
    async with (
        asyncio.timeout(WAIT_S),
        ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running(),
        door.running(EDGE_GATEWAY=gateway_address, EDGE_CONNECTIONS_MAX="1"),
        door.client(key=ADMIN_KEY) as http,
        http.post("/api/generate", json={"model": "tiny", "prompt": "a"}) as first,
    ):
        await first.content.readline()
        async with http.get("/api/version") as second:
            assert (second.status, second.content_type) == (429, "application/json")
        heard.set()
        await first.read()
        async with http.get("/api/version") as third:
            assert third.status == 200
