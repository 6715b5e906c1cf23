"""API keys over HTTP: who gets in, who manages models and keys, and when the gateway refuses to start."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.worker import ScriptedWorker, say
from integration.gateway.setup import TINY, serving, settings
from services.gateway.app import StartRefused, gateway
from shared import keys
from shared.model_index import ModelIndex
from shared.redis_client import pending
from shared.settings import Secret

ADMIN = {"Authorization": "Bearer bootstrap-secret"}


@pytest.fixture
async def locked_url(redis: Redis, redis_url: str) -> AsyncIterator[str]:
    await ModelIndex(redis).publish([TINY])
    async with serving(settings(redis_url, require_keys=True, admin_key=Secret("bootstrap-secret"))) as url:
        yield url


async def new_key(http: aiohttp.ClientSession, url: str, name: str = "ann", role: str = "user") -> dict[str, Any]:
    async with http.post(f"{url}/api/keys", json={"name": name, "role": role}, headers=ADMIN) as response:
        assert response.status == 200, await response.text()
        made: dict[str, Any] = await response.json()
        return made


async def status(http: aiohttp.ClientSession, method: str, url: str, **headers: str) -> int:
    async with http.request(method, url, headers=headers) as response:
        return response.status


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("HEAD", "/", 200),
        ("GET", "/", 200),
        ("GET", "/api/version", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/api/ps", 403),
        ("POST", "/api/chat", 403),
        ("GET", "/api/nothing", 403),
        ("GET", "/v1/models", 401),
        ("POST", "/v1/chat/completions", 401),
    ],
)
async def test_without_a_key_only_the_open_routes_answer(
    locked_url: str, http: aiohttp.ClientSession, method: str, path: str, wanted: int
) -> None:
    assert await status(http, method, locked_url + path) == wanted


async def test_a_key_that_is_not_ours_is_no_key(locked_url: str, http: aiohttp.ClientSession) -> None:
    assert await status(http, "GET", f"{locked_url}/v1/models", Authorization="Bearer ollama") == 401


@pytest.mark.parametrize("header", ["Authorization", "x-api-key"])
async def test_a_key_lets_its_user_in_and_charges_them(
    locked_url: str, http: aiohttp.ClientSession, redis: Redis, redis_url: str, header: str
) -> None:
    made = await new_key(http, locked_url)
    headers = {header: f"Bearer {made['key']}" if header == "Authorization" else made["key"]}
    async with (
        ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running() as worker,
        http.post(f"{locked_url}/api/generate", json={"model": "tiny", "prompt": "a"}, headers=headers) as response,
    ):
        assert response.status == 200
        assert (worker.requests[0].tenant, worker.requests[0].user) == (made["id"], made["id"])


async def test_the_key_itself_is_kept_nowhere(locked_url: str, http: aiohttp.ClientSession, redis: Redis) -> None:
    made = await new_key(http, locked_url)
    stored = await pending(redis.hgetall(keys.API_KEYS))
    assert len(stored) == 1
    assert not any(made["key"].encode() in part for item in stored.items() for part in item)


async def test_keys_are_listed_without_their_text_and_end_when_revoked(
    locked_url: str, http: aiohttp.ClientSession
) -> None:
    made = await new_key(http, locked_url, name="laptop", role="service")
    async with http.get(f"{locked_url}/api/keys", headers=ADMIN) as response:
        listed = (await response.json())["keys"]
    assert listed == [{name: made[name] for name in ("id", "name", "role", "created_at")}]
    bearer = f"Bearer {made['key']}"
    assert await status(http, "GET", f"{locked_url}/api/ps", Authorization=bearer) == 200
    assert await status(http, "DELETE", f"{locked_url}/api/keys/{made['id']}", **ADMIN) == 200
    assert await status(http, "GET", f"{locked_url}/api/ps", Authorization=bearer) == 401
    assert await status(http, "DELETE", f"{locked_url}/api/keys/{made['id']}", **ADMIN) == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/create"),
        ("POST", "/api/copy"),
        ("DELETE", "/api/delete"),
        ("POST", "/api/blobs/sha256:" + "0" * 64),
        ("POST", "/api/keys"),
        ("GET", "/api/keys"),
        ("DELETE", "/api/keys/key_1"),
        ("POST", "/api/cre%61te"),
    ],
)
async def test_managing_needs_the_role_admin(
    locked_url: str, http: aiohttp.ClientSession, method: str, path: str
) -> None:
    made = await new_key(http, locked_url)
    async with http.request(method, locked_url + path, headers={"x-api-key": made["key"]}) as response:
        assert response.status == 403
        assert await response.json() == {"error": "managing models and keys needs an API key with the role admin"}


async def test_where_keys_are_optional_an_unknown_key_of_ours_is_still_refused(
    gateway_url: str, http: aiohttp.ClientSession
) -> None:
    assert await status(http, "GET", f"{gateway_url}/api/ps", Authorization="Bearer corral_unknown") == 401
    assert await status(http, "GET", f"{gateway_url}/api/ps", Authorization="Bearer ollama") == 200
    assert await status(http, "GET", f"{gateway_url}/api/keys") == 200


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"name": ""}, "name must have 1 to 100 characters"),
        ({"name": "a" * 101}, "name must have 1 to 100 characters"),
        ({"name": "a", "role": "king"}, "role must be one of user, service, worker, admin"),
    ],
)
async def test_a_new_key_needs_a_name_and_a_known_role(
    gateway_url: str, http: aiohttp.ClientSession, body: dict[str, str], text: str
) -> None:
    async with http.post(f"{gateway_url}/api/keys", json=body) as response:
        assert (response.status, await response.json()) == (400, {"error": text})


@pytest.mark.parametrize("changes", [{"host": "0.0.0.0"}, {"require_keys": True}])
async def test_an_open_or_keyless_gateway_does_not_start(redis_url: str, changes: dict[str, object]) -> None:
    with pytest.raises(StartRefused, match="CORRAL_GATEWAY_"):
        async with gateway(settings(redis_url, **changes)):
            pass
