"""A pull-through mirror in front of another registry, over TLS as between real ones."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from fakes.polling import until
from fakes.registry_clients import OllamaClient, RegistryClient
from fakes.small_models import SmallModel, small_model
from harness.tls import write_certificate
from integration.registry.distribution.setup import StartRegistry, running_registry, running_upstream
from shared.digest import Digest
from shared.manifest import MediaType
from shared.settings import Secret

MODEL = small_model({MediaType.TEMPLATE: b"{{ .Prompt }}"}, weights=b"GGUF" + bytes(range(256)) * 8000)
WEIGHTS = max(MODEL.blobs, key=lambda digest: len(MODEL.blobs[digest]))


class Watch:
    """Counts what is read from the other registry, and holds blobs back while `open` is not set."""

    def __init__(self) -> None:
        self.manifests_count = 0
        self.blob_bytes: Counter[Digest] = Counter()
        self.open = asyncio.Event()
        self.open.set()
        self.lost: set[Digest] = set()

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        digest = Digest(request.path.rsplit("/", 1)[1])
        if request.method == "GET" and "/manifests/" in request.path:
            self.manifests_count += 1
        if request.method == "GET" and "/blobs/" in request.path:
            await self.open.wait()
            if digest in self.lost:
                return web.Response(status=404)
            self.blob_bytes[digest] += len(range(len(MODEL.blobs[digest]))[request.http_range])
        return await handler(request)


@pytest.fixture
def watch() -> Watch:
    return Watch()


class Mirrored:
    """The other registry's address, and the mirror in front of it."""

    def __init__(self, host: str, http: aiohttp.ClientSession) -> None:
        self.host = host
        self.http = http
        self.repository = f"{host}/team/bot"

    def url(self, rest: str) -> str:
        return f"/v2/{self.repository}/{rest}"

    def ollama(self) -> OllamaClient:
        base_url = str(self.http._base_url).rstrip("/")
        return OllamaClient(self.http, base_url, self.repository, part_bytes=300_000)


@pytest.fixture
async def other(tmp_path: Path, redis_url: str, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A registry with MODEL as `team/bot`, whose certificate is trusted."""
    certificate = tmp_path / "localhost.pem"
    context = write_certificate(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    store = {"models_dir": str(tmp_path / "other"), "redis_url": Secret(f"{redis_url}?db=1"), "upstream_hosts": ""}
    async with running_registry(**store) as http:
        assert await RegistryClient(http, "team/bot").push(MODEL) == 201
    async with running_upstream(web.middleware(watch), context, **store) as host:
        yield host


@pytest.fixture
async def mirrored(other: str, start_registry: StartRegistry) -> AsyncIterator[Mirrored]:
    async with start_registry(upstream_hosts=other) as http:
        yield Mirrored(other, http)


async def pull_as_ollama(client: OllamaClient, model: SmallModel) -> None:
    assert await client.pull_manifest("latest") == model.manifest
    for digest, content in model.blobs.items():
        assert await client.pull_blob(digest) == content


async def test_many_clients_at_once_cost_one_pull(mirrored: Mirrored, watch: Watch) -> None:
    clients = [mirrored.ollama() for _ in range(20)]
    await asyncio.gather(*(pull_as_ollama(client, MODEL) for client in clients))
    assert watch.manifests_count == 1
    assert watch.blob_bytes == {digest: len(content) for digest, content in MODEL.blobs.items()}


async def test_later_pulls_are_local(mirrored: Mirrored, watch: Watch) -> None:
    await RegistryClient(mirrored.http, mirrored.repository).pull(MODEL)
    watch.open.clear()
    before = watch.manifests_count
    await pull_as_ollama(mirrored.ollama(), MODEL)
    await RegistryClient(mirrored.http, mirrored.repository).pull(MODEL, MODEL.digest)
    assert watch.manifests_count == before
    async with mirrored.http.get("/api/tags") as response:
        (row,) = (await response.json())["models"]
    assert row["name"] == f"{mirrored.repository}:latest"


async def test_what_is_still_to_come_is_described_at_once(mirrored: Mirrored, watch: Watch) -> None:
    watch.open.clear()
    content = MODEL.blobs[WEIGHTS]
    for reference in ("latest", MODEL.digest):
        async with mirrored.http.get(mirrored.url(f"manifests/{reference}")) as response:
            assert await response.read() == MODEL.manifest
    blob = mirrored.url(f"blobs/{WEIGHTS}")
    async with mirrored.http.head(blob) as response:
        assert (response.status, response.headers["Content-Length"]) == (200, str(len(content)))
    async with mirrored.http.get(blob) as whole, mirrored.http.get(blob, headers={"Range": "bytes=10-19"}) as part:
        assert (whole.status, whole.headers["Location"]) == (200, blob)
        assert whole.headers["Content-Length"] == str(len(content))
        assert (part.status, part.headers["Content-Range"]) == (206, f"bytes 10-19/{len(content)}")
        watch.open.set()
        assert await whole.read() == content
        assert await part.read() == content[10:20]
    async with mirrored.http.get(mirrored.url(f"blobs/sha256:{'0' * 64}")) as response:
        assert response.status == 404


async def test_a_client_that_leaves_does_not_stop_the_pull(mirrored: Mirrored, watch: Watch) -> None:
    watch.open.clear()
    async with mirrored.http.get(mirrored.url("manifests/latest")) as response:
        await response.read()
    async with mirrored.http.get(mirrored.url(f"blobs/{WEIGHTS}")):
        pass  # leaves before the body
    watch.open.set()
    await RegistryClient(mirrored.http, mirrored.repository).pull(MODEL)


async def test_a_blob_that_does_not_come_breaks_the_connection(mirrored: Mirrored, watch: Watch) -> None:
    watch.open.clear()
    watch.lost.add(WEIGHTS)
    async with mirrored.http.get(mirrored.url("manifests/latest")) as response:
        assert response.status == 200
    async with mirrored.http.get(mirrored.url(f"blobs/{WEIGHTS}")) as response:
        watch.open.set()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@pytest.mark.parametrize("repository", ["{host}/team/none", "not-listed.example/team/bot"])
async def test_what_no_registry_has_is_unknown(mirrored: Mirrored, repository: str) -> None:
    async with mirrored.http.get(f"/v2/{repository.format(host=mirrored.host)}/manifests/latest") as response:
        assert response.status == 404
        assert (await response.json())["errors"][0]["code"] == "MANIFEST_UNKNOWN"


async def test_a_mirror_that_is_off_asks_nobody(other: str, start_registry: StartRegistry, watch: Watch) -> None:
    async with start_registry(upstream_hosts=other, mirror=False) as http:
        assert (await http.get(f"/v2/{other}/team/bot/manifests/latest")).status == 404
    assert watch.manifests_count == 0


async def test_a_push_that_asks_first_whether_the_tag_is_here_starts_no_pull(mirrored: Mirrored, watch: Watch) -> None:
    async with mirrored.http.head(mirrored.url("manifests/latest")) as response:
        assert response.status == 404
    assert watch.manifests_count == 0


async def test_what_is_pushed_during_a_pull_is_not_replaced_by_it(mirrored: Mirrored, watch: Watch) -> None:
    watch.open.clear()
    async with mirrored.http.get(mirrored.url("manifests/latest")) as response:
        assert await response.read() == MODEL.manifest
    pushed = small_model({MediaType.SYSTEM: b"ours"}, weights=b"GGUF" + bytes(1000))
    client = RegistryClient(mirrored.http, mirrored.repository)
    for digest, content in pushed.blobs.items():
        assert await client.push_blob(digest, content) == 201
    assert await client.push_manifest(pushed.manifest) == 201
    watch.open.set()

    async def is_over() -> bool:
        async with mirrored.http.get("/api/transfers") as response:
            return not (await response.json())["transfers"]

    await until(is_over)
    assert watch.blob_bytes[WEIGHTS]
    await client.pull(pushed)
