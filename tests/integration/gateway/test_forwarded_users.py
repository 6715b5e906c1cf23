"""Users behind a service's key: each has a place in the queue of their own, and nobody else can claim one."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.polling import until
from fakes.worker import ScriptedWorker, say
from integration.gateway.setup import TINY, serving, settings
from services.gateway.app import StartRefused, gateway
from services.gateway.key_store import KeyStore, Role
from shared.clock import SystemClock
from shared.model_index import ModelIndex
from shared.settings import Secret

SECRET = "what Open WebUI and the gateway share"
ADMIN_KEY, SERVICE_KEY = "what the configuration gives to admins", "what the configuration gives to a service"
PROMPT = {"model": "tiny", "prompt": "a"}
PLAIN = {"X-OpenWebUI-User-Id": "u-1", "X-OpenWebUI-User-Role": "admin"}


def token(user_id: str, *, secret: str = SECRET, life_s: float = 300) -> dict[str, str]:
    now_s = time.time()
    claims = {"sub": user_id, "role": "admin", "iss": "open-webui", "iat": now_s, "exp": now_s + life_s}
    signed = ".".join(part(json.dumps(one).encode()) for one in ({"alg": "HS256", "typ": "JWT"}, claims))
    signature = part(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))
    return {"X-OpenWebUI-User-Jwt": f"{signed}.{signature}"}


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def key(redis: Redis, role: Role) -> tuple[str, dict[str, str]]:
    """The id of a new key, and the header that shows it."""
    record, text = await KeyStore(redis, SystemClock()).create("open-webui", role)
    return record.id, {"Authorization": f"Bearer {text}"}


@contextlib.asynccontextmanager
async def locked(redis: Redis, redis_url: str, secret: str) -> AsyncIterator[str]:
    await ModelIndex(redis).publish([TINY])
    known = settings(
        redis_url,
        require_keys=True,
        admin_key=Secret(ADMIN_KEY),
        service_key=Secret(SERVICE_KEY),
        forwarded_user_secret=Secret(secret),
    )
    async with serving(known) as url:
        yield url


async def charged(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, url: str, headers: dict[str, str]
) -> tuple[str, str]:
    """Tenant and user of a generation."""
    async with (
        ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running() as worker,
        http.post(f"{url}/api/generate", json=PROMPT, headers=headers) as response,
    ):
        assert response.status == 200, await response.text()
        return worker.requests[0].tenant, worker.requests[0].user


@pytest.mark.parametrize(("secret", "named"), [(SECRET, token("u-1")), ("", PLAIN)])
async def test_a_service_calls_for_its_user(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, secret: str, named: dict[str, str]
) -> None:
    key_id, shown = await key(redis, Role.SERVICE)
    async with locked(redis, redis_url, secret) as url:
        assert await charged(redis, redis_url, http, url, shown | named) == (f"{key_id}/u-1", f"{key_id}/u-1")


async def test_the_configured_service_calls_for_its_users_and_for_itself(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    shown = {"Authorization": f"Bearer {SERVICE_KEY}"}
    async with locked(redis, redis_url, SECRET) as url:
        assert await charged(redis, redis_url, http, url, shown | token("u-1")) == ("service/u-1", "service/u-1")
        assert await charged(redis, redis_url, http, url, shown) == ("service", "service")


async def test_the_configured_service_manages_nothing_and_is_none_of_the_stored_keys(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async with locked(redis, redis_url, SECRET) as url:
        async with http.get(f"{url}/api/keys", headers={"x-api-key": SERVICE_KEY}) as refused:
            assert refused.status == 403
        async with http.get(f"{url}/api/keys", headers={"x-api-key": ADMIN_KEY}) as listed:
            assert (await listed.json())["keys"] == []


async def test_once_there_is_a_secret_plain_headers_name_nobody(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    key_id, shown = await key(redis, Role.SERVICE)
    async with locked(redis, redis_url, SECRET) as url:
        assert await charged(redis, redis_url, http, url, shown | PLAIN) == (key_id, key_id)


@pytest.mark.parametrize("role", [Role.USER, Role.ADMIN])
@pytest.mark.parametrize(("secret", "named"), [(SECRET, token("u-1")), ("", PLAIN)])
async def test_only_the_role_service_may_call_for_others(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, role: Role, secret: str, named: dict[str, str]
) -> None:
    key_id, shown = await key(redis, role)
    async with locked(redis, redis_url, secret) as url:
        assert await charged(redis, redis_url, http, url, shown | named) == (key_id, key_id)


@pytest.mark.parametrize(
    ("named", "text"),
    [
        (token("u-1", secret="what somebody else made up as a secret"), "not signed with this server's secret"),
        (token("u-1", life_s=-60), "has expired"),
    ],
)
async def test_a_token_that_does_not_hold_is_refused_in_words(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, named: dict[str, str], text: str
) -> None:
    _, shown = await key(redis, Role.SERVICE)
    async with locked(redis, redis_url, SECRET) as url:
        async with http.post(f"{url}/api/generate", json=PROMPT, headers=shown | named) as native:
            assert native.status == 403
            assert text in (await native.json())["error"]
        async with http.get(f"{url}/v1/models", headers=shown | named) as openai:
            assert openai.status == 403
            assert text in (await openai.json())["error"]["message"]


async def test_a_token_alone_opens_nothing_and_gives_no_rights(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    _, shown = await key(redis, Role.SERVICE)
    async with locked(redis, redis_url, SECRET) as url:
        async with http.get(f"{url}/v1/models", headers=token("u-1")) as without_key:
            assert without_key.status == 401
        async with http.get(f"{url}/api/keys", headers=shown | token("u-1")) as as_admin:
            assert as_admin.status == 403


async def test_each_user_sees_their_own_place_in_the_queue(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    _, shown = await key(redis, Role.SERVICE)
    ann, bob = shown | token("ann"), shown | token("bob")
    async with locked(redis, redis_url, SECRET) as url, asyncio.TaskGroup() as asking:

        async def waiting(headers: dict[str, str]) -> list[int]:
            async with http.get(f"{url}/api/queue/me", headers=headers) as response:
                return [job["position"] for job in (await response.json())["generations"]]

        async def anns_wait() -> bool:
            return len(await waiting(ann)) == 2

        async def bobs_waits() -> bool:
            return len(await waiting(bob)) == 1

        asked = [asking.create_task(http.post(f"{url}/api/generate", json=PROMPT, headers=ann)) for _ in range(2)]
        await until(anns_wait, within_s=5)
        asked.append(asking.create_task(http.post(f"{url}/api/generate", json=PROMPT, headers=bob)))
        await until(bobs_waits, within_s=5)
        (place,) = await waiting(bob)
        assert place < 3, "only one of Ann's two may stand before Bob's"
        assert await waiting(shown) == []
        for task in asked:
            task.cancel()


async def test_a_secret_that_can_be_guessed_stops_the_start(redis_url: str) -> None:
    with pytest.raises(StartRefused, match="CORRAL_GATEWAY_FORWARDED_USER_SECRET"):
        async with gateway(settings(redis_url, forwarded_user_secret=Secret("short"))):
            pass
