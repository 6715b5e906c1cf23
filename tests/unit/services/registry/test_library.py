"""When blobs go: at once with their model, after a grace period when they were only left behind, never under a push."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

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
        self.manifests = manifests
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
    await store.put(b"a model")
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
    await store.put(b"a model")
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


@pytest.mark.parametrize("is_folder_missing", [False, True])
async def test_no_blob_is_collected_while_there_is_no_manifest_at_all(store: Store, is_folder_missing: bool) -> None:
    """They may lie on a volume that was not mounted."""
    await store.put(b"old weights")
    store.paths.manifest(NAME).unlink()
    if is_folder_missing:
        for folder in store.paths.manifest(NAME).parents[:4]:
            folder.rmdir()
    store.make_old()
    assert await store.library.collect() == 0
    assert store.has(OLD)
    assert bool(store.manifests.scan().corrupt_count) is is_folder_missing


async def test_a_body_that_is_on_its_way_keeps_what_its_push_was_promised(store: Store) -> None:
    await store.put(b"a model")
    promised, _ = await store.blobs.commit_bytes(b"promised")
    other, _ = await store.blobs.commit_bytes(b"promised to another push")
    await store.library.promise(promised, REPOSITORY)
    await store.library.promise(other, "another")

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(4):
            store.clock.advance(GRACE_S * 0.6)
            yield b"chunk"
            await store.library.collect()

    assert [chunk async for chunk in store.library.renewing(slow(), REPOSITORY)] == [b"chunk"] * 4
    assert store.has(promised)
    assert not store.has(other)


async def test_what_no_manifest_names_is_promised_until_it_is_due_to_be_collected(store: Store) -> None:
    digest, _ = await store.blobs.commit_bytes(b"sent before a restart")
    assert await store.library.promise_unnamed(digest, REPOSITORY)
    assert store.library.promised(digest, REPOSITORY)
    store.make_old()
    assert not await store.library.promise_unnamed(digest, REPOSITORY)
    assert not await store.library.promise_unnamed(digest_of(b"not here"), REPOSITORY)
    assert not store.library.promised(digest, REPOSITORY)


async def test_what_is_wanted_only_if_absent_replaces_nothing(store: Store) -> None:
    await store.put(b"new weights")
    newer = store.manifests.read_with_content(NAME)[1]
    await store.put(b"old weights")
    kept = store.manifests.read_with_content(NAME)[1]
    await store.library.put(parse_model_name("TEAM/bot"), newer, only_if_absent=True)
    assert store.manifests.names() == [NAME]
    assert store.manifests.read_with_content(NAME)[1] == kept
    store.paths.manifest(NAME).write_bytes(b"{")
    await store.library.put(NAME, newer, only_if_absent=True)
    assert store.manifests.read_with_content(NAME)[1] == newer


async def test_a_replacement_that_is_cancelled_is_still_finished(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.put(b"new weights")
    newer = store.manifests.read_with_content(NAME)[1]
    await store.put(b"old weights")
    await store.library.promise(NEW, REPOSITORY)
    begun, may_go = threading.Event(), threading.Event()
    write = store.manifests.write

    def slow_write(*args: Any) -> None:
        begun.set()
        assert may_go.wait(10)
        write(*args)

    monkeypatch.setattr(store.manifests, "write", slow_write)
    putting = asyncio.create_task(store.library.put(NAME, newer))
    await asyncio.to_thread(begun.wait, 10)
    long_ago = time.time() - 10 * GRACE_S
    os.utime(store.paths.blob(OLD), (long_ago, long_ago))
    putting.cancel()
    may_go.set()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert not store.library.promised(NEW, REPOSITORY)
    assert store.paths.blob(OLD).stat().st_mtime > long_ago + GRACE_S
