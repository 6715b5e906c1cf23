"""What the official client does not show: raw bodies, uploads that go wrong, downloads, existing stores."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp.test_utils import TestServer

from fakes import gguf_files as fake
from fakes.polling import until
from services.registry.app import build_app
from services.registry.settings import Settings
from shared.digest import Digest, digest_of, hex_of
from shared.manifest import CONFIG_MEDIA_TYPE
from shared.registry_client import RegistryClient
from shared.settings import Secret

TINY = fake.tiny_model()
DIGEST = digest_of(TINY)


async def pieces(content: bytes, size: int = 3000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]
        await asyncio.sleep(0)


async def upload(http: aiohttp.ClientSession, content: bytes, digest: Digest | None = None) -> int:
    url = f"/api/blobs/{digest or digest_of(content)}"
    async with http.post(url, data=pieces(content), headers={"Content-Type": "application/json"}) as response:
        return response.status


async def post(http: aiohttp.ClientSession, path: str, body: object) -> tuple[int, str]:
    async with http.post(path, data=body if isinstance(body, bytes) else json.dumps(body)) as response:
        return response.status, await response.text()


def blob_files(models_dir: Path) -> list[str]:
    return sorted(path.name for path in (models_dir / "blobs").iterdir())


async def create(http: aiohttp.ClientSession, name: str = "bot") -> None:
    await upload(http, TINY)
    status, _ = await post(http, "/api/create", {"model": name, "files": {"t": DIGEST}, "stream": False})
    assert status == 200


async def test_a_blob_is_stored_once_and_then_known(http: aiohttp.ClientSession) -> None:
    assert (await http.head(f"/api/blobs/{DIGEST}")).status == 404
    assert await upload(http, TINY) == 201
    assert (await http.head(f"/api/blobs/{DIGEST}")).status == 200
    assert await upload(http, TINY) == 200


async def test_bad_digests_and_wrong_content_are_refused(http: aiohttp.ClientSession, models_dir: Path) -> None:
    assert (await http.head("/api/blobs/sha256:abc")).status == 400
    assert await post(http, "/api/blobs/..%2Fx", b"") == (400, '{"error": "invalid digest format"}')
    wrong = digest_of(b"else")
    status, text = await post(http, f"/api/blobs/{wrong}", TINY)
    assert status == 400
    assert json.loads(text) == {"error": f'digest mismatch, expected "{wrong}", got "{DIGEST}"'}
    assert blob_files(models_dir) == []


async def test_an_interrupted_upload_leaves_nothing_behind(registry: TestServer, models_dir: Path) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", registry.port)
    head = f"POST /api/blobs/{DIGEST} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(TINY)}\r\n\r\n"
    writer.write(head.encode() + TINY[:5000])
    await writer.drain()
    await until(lambda: len(blob_files(models_dir)) == 1)
    writer.close()
    await until(lambda: blob_files(models_dir) == [])


async def test_an_upload_that_stands_still_is_given_up(models_dir: Path, redis_url: str) -> None:
    settings = Settings(models_dir=str(models_dir), redis_url=Secret(redis_url), upload_idle_s=0.05)
    async with TestServer(build_app(settings), host="127.0.0.1") as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = f"POST /api/blobs/{DIGEST} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(TINY)}\r\n\r\n"
        writer.write(head.encode() + TINY[:5000])
        async with asyncio.timeout(5):
            status_line = await reader.readline()
        writer.close()
        assert status_line.split()[1] == b"504"
        assert blob_files(models_dir) == []


async def test_the_same_blob_may_be_uploaded_many_times_at_once(http: aiohttp.ClientSession, models_dir: Path) -> None:
    statuses = await asyncio.gather(*(upload(http, TINY) for _ in range(10)))
    assert set(statuses) <= {200, 201}
    assert 201 in statuses
    assert blob_files(models_dir) == [DIGEST.replace(":", "-")]


async def test_workers_download_blobs_whole_or_in_ranges(registry: TestServer, http: aiohttp.ClientSession) -> None:
    await upload(http, TINY)
    client = RegistryClient(http, str(registry.make_url("/")))
    assert b"".join([chunk async for chunk in client.read_blob(DIGEST)]) == TINY
    async with http.get(f"/api/blobs/{DIGEST}", headers={"Range": "bytes=10-19"}) as response:
        assert response.status == 206
        assert await response.read() == TINY[10:20]
    async with http.get(f"/api/blobs/{digest_of(b'no')}") as response:
        assert response.status == 404


async def test_steps_stream_as_lines_and_come_as_one_object_when_asked(http: aiohttp.ClientSession) -> None:
    await upload(http, TINY)
    body = {"name": "bot", "model": "", "files": {"t": DIGEST}}
    async with http.post("/api/create", json=body) as response:
        assert response.content_type == "application/x-ndjson"
        lines = (await response.text()).splitlines()
    assert json.loads(lines[0]) == {"status": "parsing GGUF"}
    assert json.loads(lines[-1]) == {"status": "success"}
    async with http.post("/api/create", json={**body, "stream": False}) as response:
        assert response.content_type == "application/json"
        assert await response.json() == {"status": "success"}


async def test_a_failure_after_the_first_step_is_a_last_line(http: aiohttp.ClientSession, models_dir: Path) -> None:
    await create(http)
    (models_dir / "blobs" / DIGEST.replace(":", "-")).unlink()
    reason = f"open {DIGEST.replace(':', '-')}: no such file or directory"
    body = {"model": "derived", "from": "bot", "system": "s"}
    async with http.post("/api/create", json=body) as response:
        assert response.status == 200
        lines = [json.loads(line) for line in (await response.text()).splitlines()]
    assert lines[-2:] == [{"status": "writing manifest"}, {"error": reason}]
    assert await post(http, "/api/create", {**body, "stream": False}) == (500, json.dumps({"error": reason}))
    async with http.get("/api/tags") as response:
        assert [row["name"] for row in (await response.json())["models"]] == ["bot:latest"]
    status, _ = await post(http, "/api/show", {"model": "bot"})
    assert status == 500


async def test_bodies_are_json_whatever_their_type_says(http: aiohttp.ClientSession) -> None:
    assert await post(http, "/api/show", b"") == (400, '{"error": "missing request body"}')
    status, text = await post(http, "/api/show", b"model=bot")
    assert (status, json.loads(text)["error"]) == (400, "invalid character 'm' looking for beginning of value")
    status, text = await post(http, "/api/create", {"model": 5})
    assert (
        json.loads(text)["error"]
        == "json: cannot unmarshal number into Go struct field CreateRequest.model of type string"
    )
    async with http.get("/api/show") as response:
        assert (response.status, await response.text()) == (405, "405 method not allowed")


async def test_a_parameter_of_the_wrong_type_is_ollamas_500(http: aiohttp.ClientSession) -> None:
    await upload(http, TINY)
    body = {"model": "bot", "files": {"t": DIGEST}, "parameters": {"stop": "x"}}
    status, text = await post(http, "/api/create", body)
    assert (status, json.loads(text)["error"]) == (500, 'option "stop" must be of type array')
    async with http.get("/api/tags") as response:
        assert await response.json() == {"models": []}


async def test_verbose_show_has_the_whole_vocabulary_and_a_changed_modelfile(http: aiohttp.ClientSession) -> None:
    await create(http)
    wanted = {"model": "bot", "verbose": True, "system": "seen", "options": {"seed": 3}}
    status, text = await post(http, "/api/show", wanted)
    shown = json.loads(text)
    assert status == 200
    assert shown["model_info"]["tokenizer.ggml.tokens"] == ["a", "b", "ü"]
    assert shown["model_info"]["tokenizer.ggml.token_type"] == [1, 1, 3]
    assert "SYSTEM seen\nPARAMETER seed 3\n" in shown["modelfile"]
    assert "system" not in shown
    assert "parameters" not in shown
    assert shown["tensors"][0] == {"name": "token_embd.weight", "type": "F32", "shape": [64, 32]}


async def test_an_embedding_model_says_so_in_the_listing(http: aiohttp.ClientSession) -> None:
    content = fake.tiny_model(llama__pooling_type=fake.typed("u32", 1))
    await upload(http, content)
    await post(http, "/api/create", {"model": "e", "files": {"t": digest_of(content)}})
    async with http.get("/api/tags") as response:
        (row,) = (await response.json())["models"]
    assert row["capabilities"] == ["embedding"]
    assert row["name"] == row["model"] == "e:latest"
    assert row["details"] == {
        "parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"], "parameter_size": "3K",
        "quantization_level": "Q8_0", "context_length": 512, "embedding_length": 64,
    }  # fmt: skip


async def test_the_newest_model_is_listed_first(http: aiohttp.ClientSession, models_dir: Path) -> None:
    for age, name in enumerate(["new", "old", "oldest"]):
        await create(http, name)
        manifest = models_dir / "manifests/registry.ollama.ai/library" / name / "latest"
        os.utime(manifest, (1_700_000_000 - age, 1_700_000_000 - age))
    async with http.get("/api/tags") as response:
        listed = await response.json()
    assert [row["name"] for row in listed["models"]] == ["new:latest", "old:latest", "oldest:latest"]


async def test_a_store_that_ollama_made_is_served_as_it_is(http: aiohttp.ClientSession, models_dir: Path) -> None:
    """Library models: a Go template, parameters as a list, extra config keys, no end of line in the manifest."""
    layers = {
        "application/vnd.ollama.image.model": TINY,
        "application/vnd.ollama.image.template": b"{{ .Prompt }}<|eot|>",
        "application/vnd.ollama.image.params": b'{"stop":["<|eot|>"],"mirostat":0}',
        "application/vnd.ollama.image.license": b"a licence",
    }
    config = b'{"model_format":"gguf","model_family":"llama","model_families":null,"model_type":"2.6K",'
    config += b'"file_type":"Q8_0","architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    for content in (config, *layers.values()):
        (models_dir / "blobs" / f"sha256-{hex_of(digest_of(content))}").write_bytes(content)
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": CONFIG_MEDIA_TYPE, "digest": digest_of(config), "size": len(config)},
        "layers": [{"mediaType": kind, "digest": digest_of(body), "size": len(body)} for kind, body in layers.items()],
    }  # fmt: skip
    folder = models_dir / "manifests/registry.ollama.ai/library/llama9"
    folder.mkdir(parents=True)
    (folder / "8b").write_text(json.dumps(manifest))
    async with http.get("/api/tags") as response:
        (row,) = (await response.json())["models"]
    assert (row["name"], row["digest"]) == ("llama9:8b", hex_of(digest_of(json.dumps(manifest).encode())))
    assert row["details"]["families"] is None
    shown = json.loads((await post(http, "/api/show", {"model": "Llama9:8B"}))[1])
    assert shown["template"] == "{{ .Prompt }}<|eot|>"
    assert shown["license"] == "a licence"
    async with http.delete("/api/delete", data=b'{"name":"LLAMA9:8b"}') as response:
        assert (response.status, await response.text()) == (200, "")
    assert blob_files(models_dir) == []
    assert list((models_dir / "manifests").iterdir()) == []


async def test_nothing_is_collected_while_a_manifest_cannot_be_read(
    http: aiohttp.ClientSession, models_dir: Path
) -> None:
    await create(http)
    before = blob_files(models_dir)
    broken = models_dir / "manifests/registry.ollama.ai/library/broken/latest"
    broken.parent.mkdir()
    broken.write_bytes(b"{")
    async with http.delete("/api/delete", data=b'{"model":"bot"}') as response:
        assert response.status == 200
    assert blob_files(models_dir) == before
