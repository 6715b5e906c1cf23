"""When blobs go: at once with their model, after a grace period when they were only left behind, never under a push."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.clock import FakeClock
from services.registry.blob_store import BlobStore
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore, encode_manifest
from services.registry.paths import StorePaths
from services.registry.promises import repository_key
from shared.digest import Digest, digest_of
from shared.errors import BlobMissing
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, Manifest, MediaType
from shared.model_name import parse_model_name

NAME = parse_model_name("team/bot")
REPOSITORY = repository_key(NAME)
OLD, NEW = digest_of(b"old weights"), digest_of(b"new weights")
GRACE_S = 3600.0


@pytest.fixture
def clock() -> FakeClock:
    """Beginning now, because it is compared with the times of files."""
    return FakeClock(start_unix_ms=time.time_ns() // 1_000_000)


class Store:
    def __init__(self, paths: StorePaths, blobs: BlobStore, manifests: ManifestStore, clock: FakeClock) -> None:
        async def changed() -> None:
            self.changes_count += 1

        self.changes_count = 0
        self.paths = paths
        self.blobs = blobs
        self.clock = clock
        self.library = ModelLibrary(manifests, blobs, changed, grace_s=GRACE_S, clock=clock)

    async def put(self, weights: bytes) -> None:
        layers = [(CONFIG_MEDIA_TYPE, b"{}"), (MediaType.MODEL, weights)]
        config, model = [
            Layer(media_type=kind, digest=(await self.blobs.commit_bytes(content))[0], size=len(content))
            for kind, content in layers
        ]
        await self.library.put(NAME, encode_manifest(Manifest(config=config, layers=(model,))))

    def has(self, digest: Digest) -> bool:
        return self.blobs.size_bytes(digest) is not None

    def make_old(self) -> None:
        """Let everything look as if it had been written long before the clock began."""
        self.clock.advance(10 * GRACE_S)


@pytest.fixture
def store(paths: StorePaths, blobs: BlobStore, manifests: ManifestStore, clock: FakeClock) -> Store:
    return Store(paths, blobs, manifests, clock)


async def test_replaced_weights_stay_for_the_grace_period(store: Store) -> None:
    await store.put(b"old weights")
    await store.put(b"new weights")
    store.clock.advance(GRACE_S - 60)
    assert await store.library.collect() == 0
    assert store.has(OLD)
    store.clock.advance(120)
    assert await store.library.collect() == len(b"old weights")
    assert not store.has(OLD)
    assert store.has(NEW)


async def test_the_grace_period_begins_when_the_last_model_lets_go(store: Store, tmp_path: Path) -> None:
    await store.put(b"old weights")
    long_ago = time.time() - 10 * GRACE_S
    os.utime(store.paths.blob(OLD), (long_ago, long_ago))
    await store.put(b"new weights")
    assert store.paths.blob(OLD).stat().st_mtime > long_ago + GRACE_S


async def test_a_deleted_model_takes_its_blobs_along_at_once(store: Store) -> None:
    await store.put(b"old weights")
    await store.library.delete(NAME)
    assert not store.has(OLD)
    assert store.changes_count == 2


async def test_a_blob_promised_to_a_push_outlives_the_model_it_came_with(store: Store) -> None:
    await store.put(b"old weights")
    assert await store.library.promise(OLD, REPOSITORY)
    await store.library.delete(NAME)
    assert store.has(OLD)
    await store.put(b"old weights")
    await store.library.delete(NAME)
    assert not store.has(OLD)


async def test_a_promise_is_made_for_what_is_here_only(store: Store) -> None:
    assert not await store.library.promise(OLD, REPOSITORY)
    assert not store.library.promised(OLD, REPOSITORY)
    assert not await store.library.expect(OLD, REPOSITORY)
    assert store.library.promised(OLD, REPOSITORY)


async def test_promised_and_held_blobs_are_not_collected(store: Store) -> None:
    promised, _ = await store.blobs.commit_bytes(b"promised")
    held, _ = await store.blobs.commit_bytes(b"held")
    forgotten, _ = await store.blobs.commit_bytes(b"forgotten")
    store.make_old()
    await store.library.promise(promised)
    async with store.library.hold([held]):
        assert await store.library.collect() == len(b"forgotten")
    assert store.has(promised)
    assert store.has(held)
    assert not store.has(forgotten)
    store.clock.advance(GRACE_S)
    await store.library.collect()
    assert not store.has(promised)
    assert not store.has(held)


def corrupt(paths: StorePaths) -> None:
    path = paths.manifest(parse_model_name("broken"))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{")


def misname(paths: StorePaths) -> None:
    folder = paths.manifest(parse_model_name("x")).parents[1] / "with space"
    folder.mkdir(parents=True)
    (folder / "latest").write_bytes(b"{}")


@pytest.mark.parametrize("spoil", [corrupt, misname])
async def test_no_blob_is_collected_while_a_manifest_cannot_be_read(
    store: Store, spoil: Callable[[StorePaths], None]
) -> None:
    digest, _ = await store.blobs.commit_bytes(b"whose?")
    upload = store.paths.new_upload()
    upload.write_bytes(b"abandoned")
    spoil(store.paths)
    store.make_old()
    await store.library.collect()
    assert store.has(digest)
    assert not upload.exists()


async def test_nothing_is_collected_while_another_program_downloads(store: Store) -> None:
    finished_layer, _ = await store.blobs.commit_bytes(b"a layer of the model that is being pulled")
    store.make_old()
    partial = store.paths.blobs / f"sha256-{'0' * 64}-partial"
    partial.write_bytes(b"begun")
    now_s = store.clock.unix_ms() / 1000
    os.utime(partial, (now_s, now_s))
    assert await store.library.collect() == 0
    assert store.has(finished_layer)
    partial.unlink()
    await store.library.collect()
    assert not store.has(finished_layer)


async def test_files_of_strangers_are_never_touched(store: Store) -> None:
    stranger = store.paths.blobs / "notes.txt"
    stranger.write_bytes(b"mine")
    store.clock.advance(1e9)
    await store.library.collect()
    assert stranger.exists()


async def test_a_manifest_whose_blob_is_missing_changes_nothing(store: Store) -> None:
    await store.put(b"old weights")
    layer = Layer(media_type=MediaType.MODEL, digest=NEW, size=11)
    with pytest.raises(BlobMissing):
        await store.library.put(NAME, encode_manifest(Manifest(config=layer, layers=())))
    assert store.changes_count == 1
    assert store.has(OLD)
