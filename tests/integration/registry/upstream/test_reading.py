"""Manifests and parts of blobs from another registry, and from the storage it points to."""

import asyncio
import os

import pytest

from fakes.foreign_registry import ForeignRegistry, Storage
from harness.cutting_proxy import CuttingProxy
from integration.registry.upstream.setup import model_at, read_range, repository_at, upstream_to
from services.registry.upstream.repository import MANIFEST_BYTES_MAX
from shared.digest import Digest, digest_of
from shared.errors import UpstreamFailed, UpstreamRefused, UpstreamUnknown

CONTENT = os.urandom(300_000)
DIGEST = digest_of(CONTENT)
MANIFEST = b'{ "schemaVersion": 2,\n "unknown": true }'


@pytest.fixture(autouse=True)
def model(foreign: ForeignRegistry) -> None:
    foreign.blobs[DIGEST] = CONTENT
    foreign.manifests["v1"] = foreign.manifests[digest_of(MANIFEST)] = MANIFEST


async def test_a_manifest_is_given_byte_for_byte(host: str) -> None:
    async with repository_at(host) as repository:
        assert await repository.manifest() == MANIFEST
        assert await repository.manifest(digest_of(MANIFEST)) == MANIFEST


async def test_a_manifest_that_does_not_match_its_digest_is_a_failure(foreign: ForeignRegistry, host: str) -> None:
    foreign.manifests[DIGEST] = MANIFEST
    async with repository_at(host) as repository:
        with pytest.raises(UpstreamFailed, match="digest mismatch"):
            await repository.manifest(DIGEST)


async def test_a_manifest_has_a_largest_size(foreign: ForeignRegistry, host: str) -> None:
    foreign.manifests["v1"] = bytes(MANIFEST_BYTES_MAX)
    async with repository_at(host) as repository:
        assert len(await repository.manifest()) == MANIFEST_BYTES_MAX
        foreign.manifests["v1"] += b" "
        with pytest.raises(UpstreamFailed, match=f"longer than {MANIFEST_BYTES_MAX} bytes"):
            await repository.manifest()


async def test_an_unknown_model_is_told_in_ollamas_words(host: str) -> None:
    async with repository_at(host) as repository:
        with pytest.raises(UpstreamUnknown, match=r"^pull model manifest: file does not exist$"):
            await repository.manifest("v2")


@pytest.mark.parametrize(("status", "kind"), [(400, UpstreamRefused), (429, UpstreamFailed), (503, UpstreamFailed)])
async def test_a_registrys_error_is_told_with_its_status_and_the_beginning_of_its_text(
    foreign: ForeignRegistry, host: str, status: int, kind: type[Exception]
) -> None:
    foreign.refusals = [(status, "no " + "o" * 5000)]
    async with repository_at(host) as repository:
        with pytest.raises(kind, match=f"^pull model manifest: {status}: no o{{1021}}$"):
            await repository.manifest()


async def test_a_registry_that_cannot_be_reached_is_told_as_ollama_tells_it(unused_port: int) -> None:
    async with repository_at(f"127.0.0.1:{unused_port}") as repository:
        with pytest.raises(UpstreamFailed) as failed:
            await repository.manifest()
    url = f"http://127.0.0.1:{unused_port}/v2/team/model/manifests/v1"
    assert failed.value.message == f'pull model manifest: Get "{url}": connection refused'


@pytest.fixture
async def unused_port() -> int:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_a_blobs_size_and_presence_are_known_without_reading_it(host: str) -> None:
    async with repository_at(host) as repository:
        assert await repository.blob_size(DIGEST) == len(CONTENT)
        assert await repository.has_blob(DIGEST)
        assert not await repository.has_blob(digest_of(b"other"))
        with pytest.raises(UpstreamUnknown, match=r"^file does not exist$"):
            await repository.blob_size(digest_of(b"other"))


async def test_a_registry_may_serve_ranges_itself(host: str) -> None:
    async with repository_at(host) as repository:
        assert await read_range(repository, DIGEST, 0, len(CONTENT)) == CONTENT
        assert await read_range(repository, DIGEST, 7, 100_001) == CONTENT[7:100_001]
        assert await read_range(repository, DIGEST, len(CONTENT) - 1, len(CONTENT)) == CONTENT[-1:]
        assert await read_range(repository, DIGEST, 5, 5) == b""


async def test_where_a_blob_lies_is_asked_once_for_all_its_ranges(
    foreign: ForeignRegistry, host: str, storage: Storage
) -> None:
    step = len(CONTENT) // 10
    async with repository_at(host, upstream_to(host, storage.url.removeprefix("http://"))) as repository:
        starts = range(0, len(CONTENT), step)
        parts = await asyncio.gather(*(read_range(repository, DIGEST, start, start + step) for start in starts))
    assert b"".join(parts) == CONTENT
    assert len(foreign.requests("GET")) == 1
    assert len(storage.seen) == 10


@pytest.mark.parametrize("status", [401, 403, 410])
async def test_an_expired_address_is_learnt_anew(
    foreign: ForeignRegistry, host: str, storage: Storage, status: int
) -> None:
    storage.expired_status = status
    async with repository_at(host, upstream_to(host, storage.url.removeprefix("http://"))) as repository:
        assert await read_range(repository, DIGEST, 0, 10) == CONTENT[:10]
        storage.expire()
        assert await read_range(repository, DIGEST, 10, 20) == CONTENT[10:20]
        assert await read_range(repository, DIGEST, 20, 30) == CONTENT[20:30]
    assert len(foreign.requests("GET")) == 2


@pytest.mark.parametrize("answer", ["whole", "other", "unranged", "encoded"])
async def test_bytes_that_were_not_asked_for_are_never_given(host: str, storage: Storage, answer: str) -> None:
    storage.answer = answer
    async with repository_at(host, upstream_to(host, storage.url.removeprefix("http://"))) as repository:
        with pytest.raises(UpstreamFailed):
            await read_range(repository, DIGEST, 10, 20)


async def test_a_connection_that_breaks_off_is_a_failure_and_the_next_try_succeeds(host: str) -> None:
    async with CuttingProxy(host).running() as proxy, repository_at(proxy.address) as repository:
        proxy.cut_down = 100_000
        got = bytearray()

        async def read() -> None:
            async with repository.blob_range(DIGEST, 0, len(CONTENT)) as pieces:
                async for piece in pieces:
                    got.extend(piece)

        with pytest.raises(UpstreamFailed):
            await read()
        assert bytes(got) == CONTENT[: len(got)]
        assert await read_range(repository, DIGEST, len(got), len(CONTENT)) == CONTENT[len(got) :]


async def test_silence_is_borne_only_for_so_long() -> None:
    left = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, repository_at(host, upstream_to(host, stall_s=0.1)) as repository:
        with pytest.raises(UpstreamFailed, match="timeout"):
            await repository.manifest()
        await left.wait()


async def test_a_full_disk_of_the_reader_is_not_taken_for_the_networks_failure(host: str) -> None:
    async with repository_at(host) as repository:

        async def read() -> None:
            async with repository.blob_range(DIGEST, 0, 10) as pieces:
                async for _ in pieces:
                    raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            await read()


async def test_two_repositories_are_read_at_once(foreign: ForeignRegistry, host: str) -> None:
    other = b"another blob"
    foreign.blobs[digest_of(other)] = other
    async with (
        upstream_to(host) as upstream,
        upstream.repository(model_at(host), insecure=True) as one,
        upstream.repository(model_at(host), insecure=True) as two,
    ):
        first, second = await asyncio.gather(
            read_range(one, DIGEST, 0, 100), read_range(two, Digest(digest_of(other)), 0, len(other))
        )
    assert (first, second) == (CONTENT[:100], other)
