"""An Ollama installation pulls from this registry and pushes to it, doing exactly what its client does."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from fakes.polling import until
from fakes.registry_clients import OllamaClient
from fakes.small_models import SmallModel, small_model
from shared.digest import Digest, digest_of
from shared.manifest import MediaType

MODEL = small_model({MediaType.TEMPLATE: b"{{ .Prompt }}", MediaType.LICENSE: b"a licence"})
PART_BYTES = 1500


@pytest.fixture
def ollama(registry: TestServer, http: aiohttp.ClientSession) -> OllamaClient:
    return OllamaClient(http, str(registry.make_url("")).rstrip("/"), "team/bot", part_bytes=PART_BYTES)


async def push(ollama: OllamaClient, model: SmallModel, *, mount_from: str = "") -> list[str]:
    outcomes = [await ollama.push_blob(digest, body, mount_from=mount_from) for digest, body in model.blobs.items()]
    await ollama.push_manifest("latest", model.manifest)
    return outcomes


async def test_a_push_and_a_pull(ollama: OllamaClient, models_dir: Path) -> None:
    assert set(await push(ollama, MODEL)) == {"uploaded"}
    assert await ollama.pull_manifest("latest") == MODEL.manifest
    for digest, content in MODEL.blobs.items():
        assert await ollama.pull_blob(digest) == content
    stored = {path.name.replace("-", ":", 1): path.read_bytes() for path in (models_dir / "blobs").iterdir()}
    assert stored == MODEL.blobs


async def test_a_second_push_sends_nothing_and_a_derived_model_mounts(
    ollama: OllamaClient, http: aiohttp.ClientSession
) -> None:
    await push(ollama, MODEL)
    assert set(await push(ollama, MODEL)) == {"present"}
    derived = OllamaClient(http, ollama.base_url, "team/derived", part_bytes=PART_BYTES)
    assert set(await push(derived, MODEL, mount_from="team/bot")) == {"mounted"}


async def test_the_address_of_uploads_is_the_one_the_client_reached(http: aiohttp.ClientSession) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "corral.example:8443"}
    async with http.post("/v2/team/bot/blobs/uploads/", headers=headers) as response:
        assert response.headers["Location"].startswith("https://corral.example:8443/v2/team/bot/blobs/uploads/")


async def test_a_part_that_broke_off_is_sent_again(
    ollama: OllamaClient, registry: TestServer, http: aiohttp.ClientSession, models_dir: Path
) -> None:
    content = bytes(range(256)) * 20_000
    digest = digest_of(content)
    half = 3_000_000
    async with http.post("/v2/team/bot/blobs/uploads/") as response:
        location = response.headers["Location"]
    _, writer = await asyncio.open_connection("127.0.0.1", registry.port)
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Range: 0-{len(content) - 1}\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content[:half])
    await writer.drain()
    upload = models_dir / "blobs" / f"upload-{location.rsplit('/', 1)[1]}"
    await until(lambda: upload.stat().st_size > 1_000_000)
    writer.close()
    await writer.wait_closed()
    await until(lambda: upload.stat().st_size == 0)
    location = await ollama.push_part(location, 0, content)
    async with http.put(f"{location}?digest={digest}") as response:
        assert response.status == 201


async def start_with_digest(http: aiohttp.ClientSession, content: bytes) -> tuple[int, str]:
    """How models of many small tensors begin each upload: with the digest, and no body."""
    headers = {"X-Redirect-Uploads": "2", "X-Content-Length": str(len(content)), "Content-Length": "0"}
    url = "/v2/team/bot/blobs/uploads/"
    async with http.post(url, params={"digest": digest_of(content)}, headers=headers) as response:
        return response.status, response.headers["Location"]


async def test_a_push_of_tensors_asks_by_beginning(ollama: OllamaClient, http: aiohttp.ClientSession) -> None:
    for content in (b"a tensor", b""):
        digest: Digest = digest_of(content)
        status, location = await start_with_digest(http, content)
        if content:
            assert status == 202
            location = await ollama.push_part(location, 0, content)
            async with http.put(f"{location}?digest={digest}", data=b"") as response:
                assert response.status == 201
        assert (await start_with_digest(http, content))[0] == 201
        async with http.get(f"/v2/team/bot/blobs/{digest}") as response:
            assert await response.read() == content
