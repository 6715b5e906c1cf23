"""A walk through the distribution specification: pull, push, discover, manage, and every way to be refused."""

import io
import json

import aiohttp
import pytest

from fakes.registry_clients import RegistryClient, pieces
from fakes.small_models import described, small_model
from shared.digest import Digest, digest_of
from shared.manifest import CONFIG_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, MediaType

MODEL = small_model({MediaType.SYSTEM: b"Be brief."})
WEIGHTS = next(digest for digest, content in MODEL.blobs.items() if content.startswith(b"GGUF"))
CONTENT = MODEL.blobs[WEIGHTS]
ABSENT = digest_of(b"nobody has this")


@pytest.fixture
def client(http: aiohttp.ClientSession) -> RegistryClient:
    return RegistryClient(http, "team/bot")


async def refusal(response: aiohttp.ClientResponse) -> tuple[int, str]:
    """The status and the code of the one error in the body."""
    (error,) = (await response.json())["errors"]
    assert error["message"]
    return response.status, error["code"]


async def test_every_answer_tells_the_version(http: aiohttp.ClientSession, client: RegistryClient) -> None:
    await client.push(MODEL)
    for path, status in (("", 200), ("_catalog", 200), (f"team/bot/blobs/{WEIGHTS}", 200), ("nothing/here", 404)):
        async with http.get(f"/v2/{path}") as response:
            assert response.status == status
            assert response.headers["Docker-Distribution-API-Version"] == "registry/2.0"


async def test_what_is_pushed_is_pulled_byte_for_byte(http: aiohttp.ClientSession, client: RegistryClient) -> None:
    assert await client.push(MODEL, "v1") == 201
    await client.pull(MODEL, "v1")
    await client.pull(MODEL, MODEL.digest)
    for path in ("team/bot", "registry.ollama.ai/team/bot", "TEAM/Bot"):
        await RegistryClient(http, path).pull(MODEL, "v1")
    async with http.get("/api/tags") as response:
        (row,) = (await response.json())["models"]
    assert (row["name"], f"sha256:{row['digest']}") == ("team/bot:v1", MODEL.digest)


async def test_headers_describe_manifests_and_blobs(http: aiohttp.ClientSession, client: RegistryClient) -> None:
    await client.push(MODEL)
    manifest, blob = f"{client.path}/manifests/latest", f"{client.path}/blobs/{WEIGHTS}"
    for path, size, kind, digest in (
        (manifest, len(MODEL.manifest), MANIFEST_MEDIA_TYPE, MODEL.digest),
        (blob, len(CONTENT), "application/octet-stream", WEIGHTS),
    ):
        for method in ("HEAD", "GET"):
            async with http.request(method, path) as response:
                assert response.status == 200
                assert response.headers["Content-Length"] == str(size)
                assert response.headers["Content-Type"] == kind
                assert response.headers["Docker-Content-Digest"] == digest
                assert len(await response.read()) == (size if method == "GET" else 0)


async def test_ranges_of_a_blob(http: aiohttp.ClientSession, client: RegistryClient) -> None:
    await client.push(MODEL)
    path = f"{client.path}/blobs/{WEIGHTS}"
    size = len(CONTENT)
    for text, content in (("0-0", CONTENT[:1]), ("10-19", CONTENT[10:20]), (f"{size - 5}-", CONTENT[-5:])):
        async with http.get(path, headers={"Range": f"bytes={text}"}) as response:
            assert response.status == 206
            assert response.headers["Content-Range"].endswith(f"/{size}")
            assert await response.read() == content
    async with http.get(path, headers={"Range": f"bytes={size}-"}) as response:
        assert response.status == 416


async def test_the_ways_to_push_a_blob(http: aiohttp.ClientSession, client: RegistryClient) -> None:
    uploads = f"{client.path}/blobs/uploads/"
    whole, chunked, streamed = b"in one request", b"in two chunks of a range", b"as a stream"
    async with http.post(uploads, params={"digest": digest_of(whole)}, data=whole) as response:
        assert response.status == 201
        assert response.headers["Location"] == f"{client.path}/blobs/{digest_of(whole)}"
    async with http.post(uploads) as response:
        assert (response.status, response.headers["Range"]) == (202, "0-0")
        location = response.headers["Location"]
    for start, part in ((0, chunked[:10]), (10, chunked[10:])):
        headers = {"Content-Range": f"{start}-{start + len(part) - 1}"}
        async with http.patch(location, data=part, headers=headers) as response:
            assert (response.status, response.headers["Range"]) == (202, f"0-{start + len(part) - 1}")
            location = response.headers["Location"]
    async with http.put(f"{location}?digest={digest_of(chunked)}") as response:
        assert response.status == 201
    async with http.post(uploads.rstrip("/")) as response:
        location = response.headers["Location"]
    async with http.patch(location, data=pieces(streamed, 3)) as response:
        assert response.status == 202
    async with http.put(f"{location}?digest={digest_of(streamed)}") as response:
        assert response.headers["Docker-Content-Digest"] == digest_of(streamed)
    for content in (whole, chunked, streamed):
        async with http.get(f"{client.path}/blobs/{digest_of(content)}") as response:
            assert await response.read() == content


async def test_an_upload_tells_how_far_it_got_and_can_be_given_up(
    http: aiohttp.ClientSession, client: RegistryClient
) -> None:
    async with http.post(f"{client.path}/blobs/uploads/") as response:
        location = response.headers["Location"]
    await http.patch(location, data=CONTENT[:100])
    async with http.get(location) as response:
        assert (response.status, response.headers["Range"]) == (204, "0-99")
        assert response.headers["Location"] == location
    for start in (0, 50, 101):
        headers = {"Content-Range": f"{start}-{start + 9}"}
        async with http.patch(location, data=bytes(10), headers=headers) as response:
            assert response.headers["Range"] == "0-99"
            assert response.headers["Location"] == location
            assert await refusal(response) == (416, "BLOB_UPLOAD_INVALID")
    assert (await http.delete(location)).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        async with http.request(method, location) as response:
            assert await refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_finish_whose_answer_was_lost_may_be_asked_again(
    http: aiohttp.ClientSession, client: RegistryClient
) -> None:
    async with http.post(f"{client.path}/blobs/uploads/") as response:
        location = response.headers["Location"]
    for _ in range(2):
        async with http.put(f"{location}?digest={WEIGHTS}", data=CONTENT) as response:
            assert response.status in (201, 404)
    async with http.put(f"{location}?digest={WEIGHTS}") as response:
        assert response.status == 201


async def test_a_blob_is_mounted_from_the_repository_that_has_it(
    http: aiohttp.ClientSession, client: RegistryClient
) -> None:
    await client.push(MODEL)
    uploads = "/v2/team/derived/blobs/uploads/"
    for source, status in (("team/bot", 201), ("team/none", 202), ("not//valid", 202)):
        async with http.post(uploads, params={"mount": WEIGHTS, "from": source}) as response:
            assert response.status == status
    async with http.get(f"/v2/team/derived/blobs/{WEIGHTS}") as response:
        assert response.status == 200
    async with http.post(uploads, params={"mount": ABSENT, "from": "team/bot"}) as response:
        assert response.status == 202


async def test_a_repository_shows_its_own_blobs_only(http: aiohttp.ClientSession, client: RegistryClient) -> None:
    await client.push(MODEL)
    other = RegistryClient(http, "team/other")
    for method in ("HEAD", "GET"):
        async with http.request(method, f"{other.path}/blobs/{WEIGHTS}") as response:
            assert response.status == 404
    assert await other.push_manifest(MODEL.manifest) == 404
    assert await other.push_blob(WEIGHTS, CONTENT) == 201
    async with http.get(f"{other.path}/blobs/{WEIGHTS}") as response:
        assert response.status == 200
    assert await other.push(MODEL) == 201


async def test_reading_back_what_was_pushed_does_not_end_the_push(
    http: aiohttp.ClientSession, client: RegistryClient
) -> None:
    await client.push(MODEL)
    other = RegistryClient(http, "team/other")
    for digest, content in MODEL.blobs.items():
        await other.push_blob(digest, content)
        async with http.get(f"{other.path}/blobs/{digest}") as response:
            assert await response.read() == content
    assert await other.push_manifest(MODEL.manifest) == 201


async def test_tags_and_repositories_come_in_pages(http: aiohttp.ClientSession) -> None:
    for repository in ("team/b", "library/a", "hub.example:5000/team/c"):
        for tag in ("v2", "latest", "v1"):
            assert await RegistryClient(http, repository).push(MODEL, tag) == 201
    for first, key, expected in (
        ("/v2/_catalog?n=2", "repositories", ["hub.example:5000/team/c", "library/a", "team/b"]),
        ("/v2/team/b/tags/list?n=2", "tags", ["latest", "v1", "v2"]),
    ):
        found: list[str] = []
        path = first
        while path:
            async with http.get(path) as response:
                body = await response.json()
                assert len(body[key]) <= 2
                found += body[key]
                link = response.headers.get("Link", "")
            path = link.removeprefix("<").partition(">")[0]
            assert not link or link.endswith('; rel="next"')
        assert found == expected
    async with http.get("/v2/team/b/tags/list?n=0") as response:
        assert await response.json() == {"name": "team/b", "tags": []}


async def test_deleting_a_tag_and_a_digest(http: aiohttp.ClientSession, client: RegistryClient) -> None:
    for tag in ("one", "two", "three"):
        await client.push(MODEL, tag)
    assert (await http.delete(f"{client.path}/manifests/one")).status == 202
    async with http.get(f"{client.path}/tags/list") as response:
        assert (await response.json())["tags"] == ["three", "two"]
    assert (await http.delete(f"{client.path}/manifests/{MODEL.digest}")).status == 202
    for method, path in (("GET", "tags/list"), ("DELETE", f"manifests/{MODEL.digest}"), ("DELETE", "manifests/one")):
        async with http.request(method, f"{client.path}/{path}") as response:
            assert response.status == 404
    async with http.get("/v2/_catalog") as response:
        assert await response.json() == {"repositories": []}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "team/bot/manifests/none", 404, "MANIFEST_UNKNOWN"),
        ("GET", "team/bot/manifests/.invalid", 404, "MANIFEST_UNKNOWN"),
        ("GET", f"team/bot/manifests/{ABSENT}", 404, "MANIFEST_UNKNOWN"),
        ("GET", "team/bot/manifests/sha256:short", 400, "DIGEST_INVALID"),
        ("PUT", "team/bot/manifests/.invalid", 400, "NAME_INVALID"),
        ("PUT", f"team/bot/manifests/{ABSENT}", 405, "UNSUPPORTED"),
        ("GET", "a/b/c/d/manifests/latest", 400, "NAME_INVALID"),
        ("GET", "..%2F..%2Fetc/manifests/latest", 400, "NAME_INVALID"),
        ("GET", f"team/bot/blobs/{ABSENT}", 404, "BLOB_UNKNOWN"),
        ("GET", "team/bot/blobs/sha256:short", 400, "DIGEST_INVALID"),
        ("DELETE", f"team/bot/blobs/{ABSENT}", 405, "UNSUPPORTED"),
        ("POST", "team/bot/blobs/uploads/?digest=sha256:short", 400, "DIGEST_INVALID"),
        ("POST", "team/bot/blobs/uploads/?mount=sha256:short", 400, "DIGEST_INVALID"),
        ("PATCH", f"team/bot/blobs/uploads/{'0' * 32}", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("PUT", f"team/bot/blobs/uploads/{'0' * 32}", 400, "DIGEST_INVALID"),
        ("PUT", f"team/bot/blobs/uploads/{'0' * 32}?digest={ABSENT}", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("GET", "team/none/tags/list", 404, "NAME_UNKNOWN"),
        ("GET", "_catalog?n=many", 400, "PAGINATION_NUMBER_INVALID"),
        ("GET", "no/such/route", 404, "UNSUPPORTED"),
        ("POST", "_catalog", 405, "UNSUPPORTED"),
    ],
)
async def test_refusals(http: aiohttp.ClientSession, method: str, path: str, status: int, code: str) -> None:
    async with http.request(method, f"/v2/{path}") as response:
        assert await refusal(response) == (status, code)


def manifest_of(config: dict[str, object], *layers: dict[str, object]) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": config, "layers": layers}).encode()


async def test_manifests_that_are_refused(http: aiohttp.ClientSession, client: RegistryClient) -> None:
    await client.push_blob(digest_of(b"{}"), b"{}")
    config = described(CONFIG_MEDIA_TYPE, b"{}")
    for content, expected in (
        (b"", (400, "MANIFEST_INVALID")),
        (b'{"schemaVersion":2,"manifests":[]}', (400, "MANIFEST_INVALID")),
        (manifest_of({**config, "digest": "sha256:short"}), (400, "MANIFEST_INVALID")),
        (manifest_of({**config, "size": 3}), (400, "MANIFEST_INVALID")),
        (manifest_of(config, described("x", b"never pushed")), (404, "MANIFEST_BLOB_UNKNOWN")),
        (bytes((4 << 20) + 1), (413, "SIZE_INVALID")),
    ):
        async with http.put(f"{client.path}/manifests/latest", data=io.BytesIO(content)) as response:
            assert await refusal(response) == expected
    assert await client.push_manifest(manifest_of(config)) == 201


async def test_layers_of_unknown_kinds_are_kept(http: aiohttp.ClientSession, client: RegistryClient) -> None:
    model = small_model({"application/vnd.example.notes": b"read me", MediaType.SYSTEM: b"s"})
    assert await client.push(model) == 201
    await client.pull(model)


async def test_wrong_content_is_refused_and_leaves_nothing(http: aiohttp.ClientSession, client: RegistryClient) -> None:
    digest: Digest = digest_of(b"right")
    uploads = f"{client.path}/blobs/uploads/"
    async with http.post(uploads, params={"digest": digest}, data=b"wrong") as response:
        assert await refusal(response) == (400, "DIGEST_INVALID")
    async with http.post(uploads) as response:
        location = response.headers["Location"]
    for content_range, expected in (("5-9", (400, "SIZE_INVALID")), ("nonsense", (400, "BLOB_UPLOAD_INVALID"))):
        headers = {"Content-Range": content_range}
        async with http.patch(location, data=b"wrong!", headers=headers) as response:
            assert await refusal(response) == expected
    async with http.put(f"{location}?digest={digest}", data=b"wrong") as response:
        assert await refusal(response) == (400, "DIGEST_INVALID")
    async with http.head(f"{client.path}/blobs/{digest}") as response:
        assert response.status == 404
