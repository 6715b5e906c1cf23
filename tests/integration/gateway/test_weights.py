"""Weights for workers on other machines: through the gateway, with a key that is good for nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from harness.cutting_proxy import CuttingProxy
from integration.gateway.registry_setup import ADMIN, ADMIN_KEY, bearer, new_key
from integration.gateway.setup import listening, serving, settings
from services.registry.app import build_app
from services.registry.settings import Settings as RegistrySettings
from shared.digest import digest_of
from shared.errors import BlobUnknown, Forbidden, Unavailable
from shared.registry_client import RegistryClient
from shared.settings import Secret

WEIGHTS = bytes(range(256)) * 4096
DIGEST = digest_of(WEIGHTS)


@pytest.fixture
async def url(tmp_path: Path, redis_url: str) -> AsyncIterator[str]:
    """A gateway that asks for keys, before a registry that has the weights."""
    registry = build_app(RegistrySettings(models_dir=str(tmp_path), redis_url=Secret(redis_url)))
    locked = {"require_keys": True, "admin_key": Secret(ADMIN_KEY)}
    async with (
        listening(registry) as registry_url,
        serving(settings(redis_url, registry_url=registry_url, **locked)) as gateway_url,
        aiohttp.ClientSession() as http,
    ):
        async with http.post(f"{gateway_url}/api/blobs/{DIGEST}", data=WEIGHTS, headers=ADMIN) as response:
            assert response.status == 201
        yield gateway_url


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def read(client: RegistryClient) -> bytes:
    return b"".join([chunk async for chunk in client.read_blob(DIGEST)])


async def test_a_worker_reads_a_blob_with_its_key_and_nothing_else(url: str, http: aiohttp.ClientSession) -> None:
    key = (await new_key(http, url, role="worker"))["key"]
    assert await read(RegistryClient(http, url, key=Secret(key))) == WEIGHTS
    for method, path in [("GET", "/api/tags"), ("POST", "/api/chat"), ("GET", "/v2/"), ("GET", "/api/keys")]:
        async with http.request(method, url + path, headers=bearer(key)) as response:
            assert (response.status, "worker" in await response.text()) == (403, True)
    async with http.get(f"{url}/v1/models", headers=bearer(key)) as response:
        assert response.status == 403


async def test_other_keys_do_not_read_blobs_by_their_digests(url: str, http: aiohttp.ClientSession) -> None:
    for role in ("user", "service"):
        key = (await new_key(http, url, role=role))["key"]
        with pytest.raises(Forbidden, match="role worker"):
            await read(RegistryClient(http, url, key=Secret(key)))
    with pytest.raises(Forbidden, match="API key"):
        await read(RegistryClient(http, url))


async def test_a_blob_that_is_not_there_is_unknown(url: str, http: aiohttp.ClientSession) -> None:
    client = RegistryClient(http, url, key=Secret(ADMIN_KEY))
    with pytest.raises(BlobUnknown):
        async for _ in client.read_blob(digest_of(b"another")):
            pass


async def test_a_download_goes_on_where_its_connection_was_cut(url: str, http: aiohttp.ClientSession) -> None:
    async with CuttingProxy(url.removeprefix("http://")).running() as proxy:
        proxy.cut_down = len(WEIGHTS) // 2
        assert await read(RegistryClient(http, f"http://{proxy.address}", key=Secret(ADMIN_KEY))) == WEIGHTS
        assert proxy.cuts_count == 1


async def test_a_registry_that_never_answers_is_given_up(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.registry_client.PAUSE_S", 0.0)
    with pytest.raises(Unavailable, match="did not deliver"):
        await read(RegistryClient(http, "http://127.0.0.1:9"))
