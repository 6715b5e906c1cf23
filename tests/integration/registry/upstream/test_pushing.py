"""Blobs and manifests on their way to another registry, whole, in parts, and after break-offs."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from fakes.foreign_registry import ForeignRegistry
from harness.cutting_proxy import CuttingProxy
from integration.registry.upstream.conftest import serving
from integration.registry.upstream.setup import PART_BYTES, model_at, repository_at, upstream_to
from services.registry.blob_store import BlobStore
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore, StoredManifest, encode_manifest
from services.registry.paths import StorePaths
from services.registry.transfers.progress import Progress
from services.registry.transfers.push import push
from services.registry.upstream.repository import Repository
from shared.digest import Digest, digest_of
from shared.errors import BlobMissing, ModelUnknown, UpstreamFailed, UpstreamRefused
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, Manifest, MediaType
from shared.model_name import ModelName

WEIGHTS = os.urandom(5 * PART_BYTES + 17)
DIGEST = digest_of(WEIGHTS)
CONFIG = b'{"model_format":"gguf"}'


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(WEIGHTS)
    return path


async def upload(repository: Repository, path: Path, *, mount_from: str = "") -> list[int]:
    """Send the weights; gives what was told on the way."""
    told: list[int] = []
    await repository.upload_blob(DIGEST, path, mount_from=mount_from, on_progress=told.append)
    return told


async def test_a_blob_is_sent_in_parts(foreign: ForeignRegistry, host: str, weights: Path) -> None:
    async with repository_at(host) as repository:
        told = await upload(repository, weights)
    assert foreign.blobs[DIGEST] == WEIGHTS
    ranges = [seen.content_range for seen in foreign.requests("PATCH")]
    ends = [*range(PART_BYTES, len(WEIGHTS), PART_BYTES), len(WEIGHTS)]
    assert ranges == [f"{start}-{end - 1}" for start, end in zip([0, *ends], ends, strict=False)]
    assert told == ends


async def test_an_empty_blob_is_sent_too(foreign: ForeignRegistry, host: str, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    async with repository_at(host) as repository:
        await repository.upload_blob(digest_of(b""), path, mount_from="", on_progress=lambda _sent: None)
    assert foreign.blobs[digest_of(b"")] == b""


async def test_a_blob_that_the_registry_has_elsewhere_is_taken_over(
    foreign: ForeignRegistry, host: str, weights: Path
) -> None:
    foreign.blobs[DIGEST] = WEIGHTS
    async with repository_at(host) as repository:
        assert await upload(repository, weights, mount_from="team/base") == [len(WEIGHTS)]
    assert [seen.method for seen in foreign.seen] == ["POST"]


@pytest.mark.parametrize("refusal", [None, (403, "not yours"), (500, "oh")])
async def test_a_blob_that_cannot_be_taken_over_is_sent(
    foreign: ForeignRegistry, host: str, weights: Path, refusal: tuple[int, str] | None
) -> None:
    foreign.refusals = [refusal] if refusal else []
    async with repository_at(host) as repository:
        await upload(repository, weights, mount_from="team/base")
    assert foreign.blobs[DIGEST] == WEIGHTS
    assert len(foreign.requests("POST")) == (2 if refusal else 1)


async def test_after_a_break_off_the_upload_goes_on_where_it_stood(
    foreign: ForeignRegistry, host: str, weights: Path
) -> None:
    async with CuttingProxy(host).running() as proxy:
        upstream = upstream_to(proxy.address, part_bytes=len(WEIGHTS))
        async with repository_at(proxy.address, upstream) as repository:
            proxy.cut_up = 200_000
            await upload(repository, weights)
        assert proxy.cuts_count == 1
    assert foreign.blobs[DIGEST] == WEIGHTS
    first, second = (str(seen.content_range) for seen in foreign.requests("PATCH"))
    assert first == f"0-{len(WEIGHTS) - 1}"
    assert 0 < int(second.split("-")[0]) <= 200_000
    assert len(foreign.requests("POST")) == 1


async def test_an_upload_that_is_gone_begins_anew(foreign: ForeignRegistry, host: str, weights: Path) -> None:
    class Forgetful(dict[str, bytearray]):
        """Loses the first upload when a second part of it comes."""

        forgotten = False

        def __contains__(self, name: object) -> bool:
            if not self.forgotten and any(map(len, self.values())):
                self.clear()
                self.forgotten = True
            return super().__contains__(name)

    foreign.uploads = Forgetful()
    async with repository_at(host) as repository:
        await upload(repository, weights)
    assert foreign.blobs[DIGEST] == WEIGHTS
    assert len(foreign.requests("POST")) == 2


async def test_a_blob_whose_confirmation_got_lost_counts_as_sent(
    foreign: ForeignRegistry, host: str, weights: Path
) -> None:
    foreign.blobs = Unconfirmed()
    async with repository_at(host, upstream_to(host, part_bytes=len(WEIGHTS))) as repository:
        await upload(repository, weights)
    assert foreign.blobs[DIGEST] == WEIGHTS
    assert len(foreign.requests("PATCH")) == 1
    assert [seen.method for seen in foreign.seen][-2:] == ["GET", "HEAD"]


class Unconfirmed(dict[str, bytes]):
    """Stores a blob, and then the registry fails to say so."""

    def __setitem__(self, digest: str, content: bytes) -> None:
        super().__setitem__(digest, content)
        raise ConnectionAbortedError("the answer is lost")


async def test_a_registry_that_keeps_failing_is_given_up(foreign: ForeignRegistry, host: str, weights: Path) -> None:
    foreign.refusals = [(502, "down")] * 100
    async with repository_at(host, upstream_to(host)) as repository:
        with pytest.raises(UpstreamFailed, match="502: down"):
            await upload(repository, weights)
    assert len(foreign.seen) == 6


async def test_a_registry_that_says_no_is_not_asked_again(foreign: ForeignRegistry, host: str, weights: Path) -> None:
    foreign.refusals = [(403, "no")] * 2
    async with repository_at(host) as repository:
        with pytest.raises(UpstreamRefused, match="403: no"):
            await upload(repository, weights)
    assert len(foreign.seen) == 1


class Deaf(ForeignRegistry):
    """Begins uploads and then takes nothing in."""

    def __init__(self) -> None:
        super().__init__()
        self.is_over = asyncio.Event()

    async def _upload(self, request: web.Request, rest: str) -> web.Response:
        if request.method == "PATCH":
            await self.is_over.wait()
        return await super()._upload(request, rest)


async def test_a_registry_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 << 20)  # more than the sockets between hold
    deaf = Deaf()
    async with serving(deaf) as host:
        upstream = upstream_to(host, stall_s=0.02, connect_s=0.1, part_bytes=1 << 30)
        async with repository_at(host, upstream) as repository:
            with pytest.raises(UpstreamFailed, match="timeout"):
                await upload(repository, path)
        deaf.is_over.set()
    assert len(deaf.requests("PATCH")) > 1


@pytest.fixture
async def model(host: str, blobs: BlobStore, manifests: ManifestStore) -> ModelName:
    """A stored model whose weights are listed twice."""
    weights, _ = await blobs.commit_bytes(WEIGHTS)
    config, _ = await blobs.commit_bytes(CONFIG)
    layer = Layer(media_type=MediaType.MODEL, digest=weights, size=len(WEIGHTS), from_=f"{host}/team/base:latest")
    manifest = Manifest(
        config=Layer(media_type=CONFIG_MEDIA_TYPE, digest=config, size=len(CONFIG)), layers=(layer, layer)
    )
    manifests.write(model_at(host), encode_manifest(manifest))
    return model_at(host)


async def test_a_pushed_model_is_complete_and_tells_how_it_went(
    foreign: ForeignRegistry,
    host: str,
    model: ModelName,
    blobs: BlobStore,
    manifests: ManifestStore,
    library: ModelLibrary,
) -> None:
    async with upstream_to(host) as upstream:
        told = [progress async for progress in push(model, upstream, manifests, blobs, library, insecure=True)]
    assert foreign.blobs == {DIGEST: WEIGHTS, digest_of(CONFIG): CONFIG}
    assert foreign.manifests["v1"] == encode_manifest(manifests.read(model).manifest).rstrip()
    assert list(statuses(told)) == [
        "retrieving manifest",
        f"pushing {DIGEST[7:19]}",
        f"pushing {digest_of(CONFIG)[7:19]}",
        "pushing manifest",
        "success",
    ]
    last = [progress for progress in told if progress.digest == DIGEST][-1]
    assert (last.total, last.completed) == (len(WEIGHTS), len(WEIGHTS))


def statuses(told: list[Progress]) -> Iterator[str]:
    """Each status once, in order."""
    return iter(dict.fromkeys(progress.status for progress in told))


async def test_what_the_registry_has_is_not_sent_again(
    foreign: ForeignRegistry,
    host: str,
    model: ModelName,
    blobs: BlobStore,
    manifests: ManifestStore,
    library: ModelLibrary,
) -> None:
    async with upstream_to(host) as upstream:
        for _ in range(2):
            async for _progress in push(model, upstream, manifests, blobs, library, insecure=True):
                pass
    assert len(foreign.requests("PUT")) == 2 + 2
    assert len(foreign.requests("POST")) == 2


async def test_a_model_that_is_not_here_is_not_pushed(
    foreign: ForeignRegistry, host: str, blobs: BlobStore, manifests: ManifestStore, library: ModelLibrary
) -> None:
    async with upstream_to(host) as upstream:
        with pytest.raises(ModelUnknown, match=f"model '{host}/team/model:v1' not found"):
            await anext(push(model_at(host), upstream, manifests, blobs, library, insecure=True))
    assert foreign.seen == []


async def test_leaving_a_push_ends_it(
    foreign: ForeignRegistry,
    host: str,
    model: ModelName,
    blobs: BlobStore,
    manifests: ManifestStore,
    library: ModelLibrary,
) -> None:
    tasks_before = asyncio.all_tasks()
    async with upstream_to(host, part_bytes=1024) as upstream:
        pushing = push(model, upstream, manifests, blobs, library, insecure=True)
        async for progress in pushing:
            if progress.digest:
                break
        await pushing.aclose()
        assert {task for task in asyncio.all_tasks() - tasks_before if "upload" in repr(task.get_coro())} == set()
    assert Digest(DIGEST) not in foreign.blobs


async def test_what_is_being_pushed_stays_until_it_was_pushed(
    foreign: ForeignRegistry,
    host: str,
    model: ModelName,
    blobs: BlobStore,
    manifests: ManifestStore,
    library: ModelLibrary,
) -> None:
    async with upstream_to(host) as upstream:
        pushing = push(model, upstream, manifests, blobs, library, insecure=True)
        await anext(pushing)
        await library.delete(model)
        assert [progress async for progress in pushing][-1].status == "success"
    assert foreign.blobs == {DIGEST: WEIGHTS, digest_of(CONFIG): CONFIG}


class ReplacedMeanwhile(ManifestStore):
    """Somebody replaces the model right after it was read for the first time."""

    successor: bytes | None = None

    def read(self, name: ModelName) -> StoredManifest:
        stored = super().read(name)
        if self.successor is not None:
            self.write(name, self.successor)
            self.successor = None
        return stored


async def test_a_model_that_is_replaced_before_its_blobs_are_held_is_pushed_as_it_is_then(
    foreign: ForeignRegistry, host: str, model: ModelName, tmp_path: Path, blobs: BlobStore, library: ModelLibrary
) -> None:
    replaced = ReplacedMeanwhile(StorePaths(tmp_path / "models"), blobs)
    config, _ = await blobs.commit_bytes(b"{}")
    successor = Manifest(config=Layer(media_type=CONFIG_MEDIA_TYPE, digest=config, size=2), layers=())
    replaced.successor = encode_manifest(successor)
    async with upstream_to(host) as upstream:
        async for _progress in push(model, upstream, replaced, blobs, library, insecure=True):
            pass
    assert foreign.blobs == {config: b"{}"}
    assert foreign.manifests["v1"] == encode_manifest(successor).rstrip()


async def test_a_file_that_goes_away_is_no_failure_of_the_network(
    foreign: ForeignRegistry, host: str, weights: Path
) -> None:
    async with repository_at(host) as repository:
        with pytest.raises(BlobMissing):
            await repository.upload_blob(
                DIGEST, weights, mount_from="", on_progress=lambda _sent: weights.unlink(missing_ok=True)
            )
        assert len(foreign.requests("PATCH")) <= 2
        with pytest.raises(BlobMissing):
            await upload(repository, weights)
