"""Ollama installations with keys of their own: registering them, their pulls and pushes, and what is not accepted."""

import asyncio
import time
from urllib.parse import urlsplit

import aiohttp
import pytest
from yarl import URL

from fakes.ollama_keys import OllamaKey
from integration.gateway.ollama_server import OllamaServer, RegistryRefused
from integration.gateway.registry_setup import (
    ADMIN,
    CONFIG,
    WEIGHTS,
    register,
    registry_behind_gateway,
    revoke,
)
from integration.gateway.stand_in_registry import StandInRegistry, digest_of
from services.gateway.signatures import SKEW_S_MAX

MODEL = {digest_of(WEIGHTS): WEIGHTS, digest_of(CONFIG): CONFIG}


@pytest.fixture
def key() -> OllamaKey:
    return OllamaKey()


async def challenge_of(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(f"{url}/v2/team/x/manifests/latest") as response:
        return response.headers["WWW-Authenticate"]


async def signed_url(http: aiohttp.ClientSession, url: str, server: OllamaServer) -> str:
    return server.token_url(await challenge_of(http, url), urlsplit(url).netloc)


async def test_a_registered_installation_pulls(url: str, http: aiohttp.ClientSession, key: OllamaKey) -> None:
    await register(http, url, key)
    assert await OllamaServer(http, url, key).pull("team/x") == MODEL


async def test_an_admins_installation_pushes_in_parts_and_pulls_it_back(
    url: str, http: aiohttp.ClientSession, key: OllamaKey
) -> None:
    await register(http, url, key, role="admin")
    weights, config = b"new" * 5000, b"{}"
    await OllamaServer(http, url, key).push("team/y", [weights, config])
    pulled = await OllamaServer(http, url, key).pull("team/y")
    assert pulled == {digest_of(weights): weights, digest_of(config): config}


async def test_a_users_installation_does_not_push(
    url: str, http: aiohttp.ClientSession, key: OllamaKey, registry: StandInRegistry
) -> None:
    await register(http, url, key)
    with pytest.raises(RegistryRefused, match="role admin") as refused:
        await OllamaServer(http, url, key).push("team/y", [b"new", b"{}"])
    assert refused.value.status == 403
    assert registry.uploads == {}


async def test_an_unknown_installation_is_told_its_fingerprint(
    url: str, http: aiohttp.ClientSession, key: OllamaKey
) -> None:
    registered = await register(http, url, OllamaKey())
    with pytest.raises(RegistryRefused, match="corral keys add-ssh") as refused:
        await OllamaServer(http, url, key).pull("team/x")
    assert b"SHA256:" in refused.value.body
    assert registered["fingerprint"].encode() not in refused.value.body


async def test_a_revoked_installation_is_out_at_once(url: str, http: aiohttp.ClientSession, key: OllamaKey) -> None:
    record = await register(http, url, key)
    server = OllamaServer(http, url, key)
    await server.pull("team/x")
    await revoke(http, url, record["id"])
    with pytest.raises(RegistryRefused, match="does not know the key"):
        await server.pull("team/x")


async def test_a_signed_request_is_good_once(url: str, http: aiohttp.ClientSession, key: OllamaKey) -> None:
    await register(http, url, key)
    server = OllamaServer(http, url, key)
    signed = await signed_url(http, url, server)
    answers = await asyncio.gather(*(server.ask(signed) for _ in range(5)))
    assert sorted(status for status, _ in answers) == [200, 403, 403, 403, 403]
    assert all(b"used before" in body for status, body in answers if status == 403)


@pytest.mark.parametrize(("skew_s", "direction"), [(-2 * SKEW_S_MAX, b"behind"), (2 * SKEW_S_MAX, b"ahead of")])
async def test_a_clock_that_is_off_is_refused_and_named(
    url: str, http: aiohttp.ClientSession, key: OllamaKey, skew_s: int, direction: bytes
) -> None:
    await register(http, url, key)
    server = OllamaServer(http, url, key, clock_skew_s=skew_s)
    status, body = await server.ask(await signed_url(http, url, server))
    assert status == 403
    assert direction in body


async def test_a_signature_over_anything_else_is_refused(url: str, http: aiohttp.ClientSession, key: OllamaKey) -> None:
    await register(http, url, key)
    server = OllamaServer(http, url, key)
    signed = await signed_url(http, url, server)
    for other in (signed + "x", signed.replace("/v2/token", "/v2/other"), signed.replace("http:", "https:")):
        status, body = await server.ask(signed, signed_url=other)
        assert (status, b"is not the key's" in body) == (403, True)


async def test_a_request_without_a_nonce_is_refused(url: str, http: aiohttp.ClientSession, key: OllamaKey) -> None:
    await register(http, url, key)
    status, body = await OllamaServer(http, url, key).ask(f"{url}/v2/token?ts={int(time.time())}")
    assert (status, b"nonce" in body) == (403, True)


async def test_what_was_signed_for_another_server_is_not_accepted_here(
    url: str, http: aiohttp.ClientSession, key: OllamaKey
) -> None:
    """A registry that an installation pulls from could pass its signature on to us, with its own name as Host."""
    await register(http, url, key)
    server = OllamaServer(http, url, key)
    signed = (await signed_url(http, url, server)).replace(url, "http://evil.internal")
    headers = {"Authorization": server.authorization(signed), "Host": "evil.internal"}
    relayed = URL(signed.replace("http://evil.internal", url), encoded=True)
    async with http.get(relayed, headers=headers) as response:
        assert response.status == 403
        assert "does not know itself as evil.internal" in (await response.json())["errors"][0]["message"]


async def test_behind_a_public_address_the_signature_is_over_that_address(
    redis_url: str, registry: StandInRegistry, http: aiohttp.ClientSession, key: OllamaKey
) -> None:
    async with registry_behind_gateway(redis_url, registry, public_urls="https://corral.internal") as url:
        await register(http, url, key)
        server = OllamaServer(http, "https://corral.internal", key)
        signed = server.token_url('realm="https://corral.internal/v2/token",service="x"', "corral.internal")
        headers = {"Authorization": server.authorization(signed), "Host": "corral.internal"}
        through_proxy = URL(signed.replace("https://corral.internal", url), encoded=True)
        async with http.get(through_proxy, headers=headers) as response:
            assert response.status == 200


async def test_where_no_keys_are_required_a_stranger_pulls_and_pushes(
    redis_url: str, registry: StandInRegistry, http: aiohttp.ClientSession, key: OllamaKey
) -> None:
    async with registry_behind_gateway(redis_url, registry, require_keys=False) as url:
        assert await OllamaServer(http, url, key).pull("team/x") == MODEL
        await OllamaServer(http, url, key).push("team/y", [b"new", b"{}"])
        assert (await OllamaServer(http, url, key).ask(f"{url}/v2/token"))[0] == 200


async def test_a_key_is_registered_once_and_shown_by_its_fingerprint(
    url: str, http: aiohttp.ClientSession, key: OllamaKey
) -> None:
    record = await register(http, url, key)
    assert "key" not in record
    body = {"name": "again", "ssh_public_key": key.public_line.rsplit(" ", 1)[0] + " another comment"}
    async with http.post(f"{url}/api/keys", json=body, headers=ADMIN) as response:
        assert response.status == 409
        assert record["fingerprint"] in (await response.json())["error"]
    async with http.get(f"{url}/api/keys", headers=ADMIN) as response:
        assert (await response.json())["keys"] == [record]
    await revoke(http, url, record["id"])
    assert (await register(http, url, key))["id"] != record["id"]


async def test_a_damaged_key_is_refused(url: str, http: aiohttp.ClientSession) -> None:
    body = {"name": "laptop", "ssh_public_key": "ssh-ed25519 AAAA"}
    async with http.post(f"{url}/api/keys", json=body, headers=ADMIN) as response:
        assert response.status == 400
        assert await response.json() == {"error": "ssh_public_key is damaged: this is not an ed25519 public key"}
