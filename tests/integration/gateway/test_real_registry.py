"""The gateway in front of the registry itself: laptops push and pull through both, each with its own key."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest

from fakes.gguf_files import tiny_model
from fakes.ollama_keys import OllamaKey
from integration.gateway.ollama_server import CONFIG_TYPE, WEIGHTS_TYPE, OllamaServer, RegistryRefused
from integration.gateway.registry_setup import ADMIN, ADMIN_KEY, bearer, new_key, register, token_for
from integration.gateway.setup import listening, serving, settings
from services.registry.app import build_app
from services.registry.settings import Settings as RegistrySettings
from services.registry.upstream.client import Upstream, UpstreamLimits
from services.registry.upstream.policy import parse_upstream_hosts
from services.registry.upstream.signing import SigningKey
from shared.digest import digest_of
from shared.manifest import Layer, Manifest
from shared.model_name import parse_model_name
from shared.settings import Secret

CONFIG = b'{"model_format":"gguf","model_family":"llama","architecture":"amd64","os":"linux"}'


@pytest.fixture
async def url(redis_url: str, tmp_path: Path) -> AsyncIterator[str]:
    registry = build_app(RegistrySettings(models_dir=str(tmp_path), redis_url=Secret(redis_url)))
    locked: dict[str, object] = {"require_keys": True, "admin_key": Secret(ADMIN_KEY)}
    async with (
        listening(registry) as registry_url,
        serving(settings(redis_url, registry_url=registry_url, **locked)) as url,
    ):
        yield url


async def test_one_laptop_pushes_a_model_and_another_pulls_it(url: str, http: aiohttp.ClientSession) -> None:
    author, reader, weights = OllamaKey(), OllamaKey(), tiny_model()
    await register(http, url, author, role="admin")
    await register(http, url, reader)
    await OllamaServer(http, url, author).push("team/bot", [weights, CONFIG])
    pulled = await OllamaServer(http, url, reader).pull("team/bot")
    assert pulled == {digest_of(weights): weights, digest_of(CONFIG): CONFIG}
    with pytest.raises(RegistryRefused, match="role admin"):
        await OllamaServer(http, url, reader).push("team/bot", [weights, b"{}"])
    async with http.get(f"{url}/api/tags", headers=ADMIN) as response:
        assert [model["name"] for model in (await response.json())["models"]] == ["team/bot:latest"]


async def test_another_cluster_pushes_and_pulls_with_a_key_of_its_own(
    url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    key, host, weights = OllamaKey(), urlsplit(url).netloc, tiny_model()
    await register(http, url, key, role="admin")
    limits = UpstreamLimits(connect_s=5.0, stall_s=5.0, part_bytes=1024)
    credentials = {f"http://{host}": None}
    upstream = Upstream(parse_upstream_hosts(host), limits, credentials=credentials, key=SigningKey(key.private))
    manifest = Manifest(config=layer(CONFIG, CONFIG_TYPE), layers=(layer(weights, WEIGHTS_TYPE),))
    content = msgspec.json.encode(manifest)
    async with upstream, upstream.repository(parse_model_name(f"{host}/team/bot"), insecure=True) as repository:
        for blob in (weights, CONFIG):
            (tmp_path / "blob").write_bytes(blob)
            await repository.upload_blob(digest_of(blob), tmp_path / "blob", mount_from="", on_progress=lambda _: None)
        await repository.put_manifest(content)
        assert await repository.manifest() == content
        async with repository.blob_range(digest_of(weights), 10, 90) as pieces:
            assert b"".join([piece async for piece in pieces]) == weights[10:90]


def layer(content: bytes, media_type: str) -> Layer:
    return Layer(media_type=media_type, digest=digest_of(content), size=len(content))


async def test_registry_tools_find_what_was_pushed(url: str, http: aiohttp.ClientSession) -> None:
    author = OllamaKey()
    await register(http, url, author, role="admin")
    await OllamaServer(http, url, author).push("team/bot", [tiny_model(), CONFIG])
    token = await token_for(http, url, (await new_key(http, url))["key"], "repository:team/bot:pull")
    async with http.get(f"{url}/v2/team/bot/tags/list", headers=bearer(token)) as response:
        assert (await response.json())["tags"] == ["latest"]
    async with http.head(f"{url}/v2/team/bot/manifests/latest", headers=bearer(token)) as response:
        digest = response.headers["Docker-Content-Digest"]
    async with http.get(f"{url}/v2/team/bot/manifests/{digest}", headers=bearer(token)) as response:
        assert digest_of(await response.read()) == digest
    async with http.delete(f"{url}/v2/team/bot/manifests/{digest}", headers=bearer(token)) as response:
        assert response.status == 403


async def test_the_registrys_own_list_of_transfers_is_behind_the_same_keys(
    url: str, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{url}/api/transfers") as response:
        assert response.status == 403
    async with http.get(f"{url}/api/transfers", headers=ADMIN) as response:
        assert await response.json() == {"transfers": []}
