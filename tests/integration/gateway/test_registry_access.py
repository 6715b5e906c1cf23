"""Who may use `/v2/`: API keys as docker and skopeo send them, tokens, roles, and what is open without keys."""

from urllib.parse import urlsplit

import aiohttp
import pytest
import structlog
from redis.asyncio import Redis
from yarl import URL

from fakes.polling import until
from integration.gateway.registry_setup import (
    ADMIN,
    ADMIN_KEY,
    CONFIG,
    WEIGHTS,
    basic,
    bearer,
    new_key,
    registry_behind_gateway,
    revoke,
    token_for,
)
from integration.gateway.stand_in_registry import StandInRegistry, digest_of
from shared import keys

MANIFEST = "/v2/team/x/manifests/latest"
BLOB = f"/v2/team/x/blobs/{digest_of(WEIGHTS)}"
PULL, PUSH = "repository:team/x:pull", "repository:team/x:pull,push"


async def status(http: aiohttp.ClientSession, method: str, url: str, headers: dict[str, str] | None = None) -> int:
    async with http.request(method, url, headers=headers) as response:
        return response.status


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v2/", None),
        ("GET", "/v2/_catalog", "registry:catalog:*"),
        ("GET", MANIFEST, PULL),
        ("HEAD", BLOB, PULL),
        ("POST", "/v2/team/x/blobs/uploads/", PUSH),
        ("DELETE", MANIFEST, PUSH),
    ],
)
async def test_without_a_key_a_client_is_told_where_to_get_a_token(
    url: str, http: aiohttp.ClientSession, method: str, path: str, scope: str | None
) -> None:
    host = urlsplit(url).netloc
    async with http.request(method, url + path) as response:
        assert response.status == 401
        wanted = f'Bearer realm="{url}/v2/token",service="{host}"' + (f',scope="{scope}"' if scope else "")
        assert response.headers["WWW-Authenticate"] == wanted
        assert response.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
        if method != "HEAD":
            (error,) = (await response.json())["errors"]
            assert error["code"] == "UNAUTHORIZED"


async def test_a_public_address_decides_what_the_client_is_told(
    redis_url: str, registry: StandInRegistry, http: aiohttp.ClientSession
) -> None:
    async with (
        registry_behind_gateway(redis_url, registry, public_urls="https://corral.example") as url,
        http.get(f"{url}/v2/", headers={"Host": "corral.example"}) as response,
    ):
        assert response.headers["WWW-Authenticate"] == (
            'Bearer realm="https://corral.example/v2/token",service="corral.example"'
        )


async def test_a_key_reads_as_bearer_or_as_any_users_password(url: str, http: aiohttp.ClientSession) -> None:
    key = (await new_key(http, url))["key"]
    for headers in (bearer(key), basic(key), basic(key, user="")):
        async with http.get(url + MANIFEST, headers=headers) as response:
            assert response.status == 200
            assert response.headers["Docker-Content-Digest"] == digest_of(await response.read())


async def test_docker_logs_in_with_a_key_for_a_token(url: str, http: aiohttp.ClientSession) -> None:
    key = (await new_key(http, url))["key"]
    async with http.get(f"{url}/v2/token", params={"scope": PULL}, headers=basic(key)) as response:
        made = await response.json()
    assert made["token"] == made["access_token"]
    assert made["expires_in"] == 3600
    assert await status(http, "GET", f"{url}/v2/", bearer(made["token"])) == 200
    assert await status(http, "GET", url + MANIFEST, bearer(made["token"])) == 200


@pytest.mark.parametrize("headers", [basic("corral_unknown"), basic("hello"), bearer("corral_unknown"), {}])
async def test_a_token_needs_a_key(url: str, http: aiohttp.ClientSession, headers: dict[str, str]) -> None:
    async with http.get(f"{url}/v2/token", headers=headers) as response:
        assert (response.status, response.headers["WWW-Authenticate"]) == (401, 'Basic realm="Corral"')
        assert (await response.json())["errors"][0]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_tokens_are_only_got(url: str, http: aiohttp.ClientSession, method: str) -> None:
    assert await status(http, method, f"{url}/v2/token", ADMIN) == 405


async def test_writing_needs_the_role_admin(url: str, http: aiohttp.ClientSession) -> None:
    key = (await new_key(http, url, role="service"))["key"]
    for headers in (bearer(key), bearer(await token_for(http, url, key, PUSH))):
        async with http.delete(url + MANIFEST, headers=headers) as response:
            assert response.status == 403
            assert (await response.json())["errors"][0] == {
                "code": "DENIED",
                "message": "changing models needs a key with the role admin",
                "detail": None,
            }
    assert await status(http, "GET", url + MANIFEST, bearer(key)) == 200


async def test_a_token_asked_for_reading_does_not_write_and_says_which_one_would(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry
) -> None:
    reading = await token_for(http, url, ADMIN_KEY, PULL)
    async with http.delete(url + MANIFEST, headers=bearer(reading)) as response:
        assert response.status == 401
        assert f'scope="{PUSH}",error="insufficient_scope"' in response.headers["WWW-Authenticate"]
    assert registry.manifests
    writing = await token_for(http, url, ADMIN_KEY, PULL, PUSH)
    assert await status(http, "DELETE", url + MANIFEST, bearer(writing)) == 202
    assert not registry.manifests


async def test_a_revoked_key_takes_its_tokens_along(url: str, http: aiohttp.ClientSession) -> None:
    made = await new_key(http, url)
    token = await token_for(http, url, made["key"], PULL)
    assert await status(http, "GET", url + MANIFEST, bearer(token)) == 200
    await revoke(http, url, made["id"])
    for headers in (bearer(token), bearer(made["key"]), basic(made["key"])):
        assert await status(http, "GET", url + MANIFEST, headers) == 401


async def test_a_token_ends_after_its_life(
    redis_url: str, redis: Redis, registry: StandInRegistry, http: aiohttp.ClientSession
) -> None:
    async with registry_behind_gateway(redis_url, registry, registry_token_life_s=1.0) as url:
        token = await token_for(http, url, ADMIN_KEY, PULL)
        assert await status(http, "GET", url + MANIFEST, bearer(token)) == 200

        async def has_ended() -> bool:
            return not await redis.keys(keys.token("*"))

        await until(has_ended)
        assert await status(http, "GET", url + MANIFEST, bearer(token)) == 401


async def test_a_token_is_no_key_of_the_api(url: str, http: aiohttp.ClientSession) -> None:
    token = await token_for(http, url, ADMIN_KEY, PUSH)
    assert await status(http, "GET", f"{url}/api/keys", bearer(token)) == 403


async def test_redis_keeps_no_token(url: str, http: aiohttp.ClientSession, redis: Redis) -> None:
    token = await token_for(http, url, ADMIN_KEY, PULL)
    (name,) = await redis.keys(keys.token("*"))
    assert token.encode() not in name + (await redis.get(name) or b"")


async def test_where_no_keys_are_required_everything_is_open(
    redis_url: str, registry: StandInRegistry, http: aiohttp.ClientSession
) -> None:
    async with registry_behind_gateway(redis_url, registry, require_keys=False) as url:
        assert await status(http, "GET", f"{url}/v2/") == 200
        async with http.get(url + BLOB) as response:
            assert (await response.read(), response.headers["Location"]) == (WEIGHTS, BLOB)
        async with http.get(f"{url}/v2/token") as response:
            token = (await response.json())["token"]
        assert await status(http, "GET", url + MANIFEST, bearer(token)) == 200
        assert await status(http, "DELETE", url + MANIFEST) == 202


async def test_an_open_registrys_token_is_worth_nothing_once_keys_are_required(
    redis_url: str, registry: StandInRegistry, http: aiohttp.ClientSession
) -> None:
    async with (
        registry_behind_gateway(redis_url, registry, require_keys=False) as url,
        http.get(f"{url}/v2/token") as response,
    ):
        token = (await response.json())["token"]
    async with registry_behind_gateway(redis_url, registry) as url:
        assert await status(http, "GET", url + MANIFEST, bearer(token)) == 401


async def open_url(http: aiohttp.ClientSession, url: str, key: str) -> str:
    """The address that the reply to a whole blob gives for its ranges."""
    async with http.get(url + BLOB, headers=bearer(key)) as response:
        assert response.status == 200
        return url + response.headers["Location"]


async def test_the_ranges_of_a_blob_need_no_key_at_the_address_given_for_them(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry
) -> None:
    location = await open_url(http, url, (await new_key(http, url))["key"])
    async with http.get(location, headers={"Range": "bytes=100-199"}) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == f"bytes 100-199/{len(WEIGHTS)}"
        assert await response.read() == WEIGHTS[100:200]
    assert all("token" not in path for _, path, _ in registry.received)


async def test_that_address_opens_one_blob_for_reading_and_nothing_else(url: str, http: aiohttp.ClientSession) -> None:
    location = await open_url(http, url, ADMIN_KEY)
    token = location.partition("?token=")[2]
    other = f"/v2/team/x/blobs/{digest_of(CONFIG)}"
    for method, path in (
        *(("HEAD", BLOB), ("DELETE", BLOB), ("GET", other), ("GET", BLOB.replace("team/x", "team/y"))),
        *(("GET", MANIFEST), ("GET", "/v2/")),
    ):
        assert await status(http, method, f"{url}{path}?token={token}") == 401, (method, path)
    assert await status(http, "GET", url + BLOB, bearer(token)) == 401
    assert await status(http, "GET", f"{url}{BLOB}?token={token}x") == 401


async def test_that_address_is_not_renewed_by_using_it(url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(await open_url(http, url, ADMIN_KEY)) as response:
        assert (response.status, response.headers["Location"]) == (200, BLOB)


async def test_that_address_ends_with_the_key_it_was_made_for(url: str, http: aiohttp.ClientSession) -> None:
    made = await new_key(http, url)
    location = await open_url(http, url, made["key"])
    await revoke(http, url, made["id"])
    assert await status(http, "GET", location, {"Range": "bytes=0-9"}) == 401


async def test_no_token_is_logged_and_the_registry_sees_no_credential(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry
) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        token = await token_for(http, url, ADMIN_KEY, PULL)
        location = await open_url(http, url, token)
        assert await status(http, "GET", location, {"Range": "bytes=0-9"}) == 206
    lines = [entry for entry in logged if entry["event"] == "request_served"]
    assert [(line["route"], line["user"]) for line in lines] == [
        ("/v2/token", None),
        ("/v2/{tail}", "admin"),
        ("/v2/{tail}", "admin"),
    ]
    secrets = (token, location.partition("?token=")[2], ADMIN_KEY)
    assert not any(secret in repr(logged) for secret in secrets)
    assert not any(secret in repr(registry.received) for secret in secrets)


@pytest.mark.parametrize(
    "path", ["/v2/..%2finternal/blobs/x", "/v2/%2e%2e/internal", "/v2/team/x%00", "/v2//internal/x"]
)
async def test_a_path_that_leads_elsewhere_is_refused(
    url: str, http: aiohttp.ClientSession, registry: StandInRegistry, path: str
) -> None:
    async with http.get(URL(url + path, encoded=True), headers=ADMIN) as response:
        assert response.status == 400
        assert (await response.json())["errors"][0]["code"] == "NAME_INVALID"
    assert registry.received == []
