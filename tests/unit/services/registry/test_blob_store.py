"""Blobs appear whole, under the digest of what they hold, or not at all."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.registry.blob_store import LAYER_BYTES_MAX, BlobStore
from services.registry.paths import StorePaths
from services.registry.publishing import WRITE_BYTES
from shared.digest import digest_of
from shared.errors import BlobUnknown, DigestMismatch, InternalError, ModelFileInvalid

CONTENT = bytes(range(256)) * 5000 + b"tail"


async def chunks(content: bytes, size: int = 70_001) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "blobs").iterdir())


async def test_a_blob_is_stored_under_ollamas_name(blobs: BlobStore, tmp_path: Path) -> None:
    digest = digest_of(CONTENT)
    assert len(CONTENT) > WRITE_BYTES
    assert await blobs.commit(chunks(CONTENT), digest) == len(CONTENT)
    assert files(tmp_path) == [digest.replace(":", "-")]
    assert blobs.read(digest) == CONTENT
    assert blobs.size_bytes(digest) == len(CONTENT)


async def test_the_empty_blob_can_be_stored(blobs: BlobStore) -> None:
    digest = digest_of(b"")
    assert await blobs.commit(chunks(b""), digest) == 0
    assert blobs.read(digest) == b""


async def test_content_that_is_not_what_was_promised_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    wanted = digest_of(b"something else")
    with pytest.raises(DigestMismatch) as caught:
        await blobs.commit(chunks(CONTENT), wanted)
    assert caught.value.message == f'digest mismatch, expected "{wanted}", got "{digest_of(CONTENT)}"'
    assert files(tmp_path) == []


async def test_an_upload_that_breaks_off_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield CONTENT
        assert len(files(tmp_path)) == 1
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await blobs.commit(broken(), digest_of(CONTENT))
    assert files(tmp_path) == []


async def test_a_cancelled_upload_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield CONTENT
        reached.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(blobs.commit(stalled(), digest_of(CONTENT)))
    await reached.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert files(tmp_path) == []


async def test_many_may_upload_the_same_blob_at_once(blobs: BlobStore, tmp_path: Path) -> None:
    digest = digest_of(CONTENT)
    await asyncio.gather(*(blobs.commit(chunks(CONTENT, 10_000 + n), digest) for n in range(8)))
    assert files(tmp_path) == [digest.replace(":", "-")]
    assert blobs.read(digest) == CONTENT


async def test_content_from_memory_is_written_once(blobs: BlobStore) -> None:
    assert await blobs.commit_bytes(b"text") == (digest_of(b"text"), True)
    assert await blobs.commit_bytes(b"text") == (digest_of(b"text"), False)


async def test_a_missing_blob_is_unknown_to_who_asks_and_an_error_to_who_needs_it(blobs: BlobStore) -> None:
    digest = digest_of(b"never stored")
    assert blobs.size_bytes(digest) is None
    blobs.delete(digest)
    with pytest.raises(BlobUnknown):
        blobs.path(digest)
    for use in (blobs.open, blobs.read):
        with pytest.raises(InternalError):
            use(digest)


async def test_layers_of_text_are_read_up_to_the_limit(blobs: BlobStore) -> None:
    largest, _ = await blobs.commit_bytes(bytes(LAYER_BYTES_MAX))
    beyond, _ = await blobs.commit_bytes(bytes(LAYER_BYTES_MAX + 1))
    assert len(blobs.read(largest)) == LAYER_BYTES_MAX
    with pytest.raises(ModelFileInvalid):
        blobs.read(beyond)


async def test_a_touched_blob_counts_as_new(blobs: BlobStore, paths: StorePaths) -> None:
    digest, _ = await blobs.commit_bytes(b"text")
    os.utime(paths.blob(digest), (1_000_000_000, 1_000_000_000))
    blobs.touch(digest)
    assert paths.blob(digest).stat().st_mtime > 1_000_000_000
    blobs.touch(digest_of(b"never stored"))


def test_blobs_named_with_a_colon_get_ollamas_present_name(paths: StorePaths, tmp_path: Path) -> None:
    digest = digest_of(CONTENT)
    (tmp_path / "blobs" / digest).write_bytes(CONTENT)
    (tmp_path / "blobs" / "sha256:short").write_bytes(b"")
    assert paths.adopt_colon_names() == 1
    assert files(tmp_path) == [digest.replace(":", "-"), "sha256:short"]
    assert paths.adopt_colon_names() == 0
