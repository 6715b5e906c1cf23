"""Uploads in parts: what is kept, what is undone, what a restart leaves."""

import asyncio
import threading
from collections.abc import AsyncIterator
from io import FileIO
from pathlib import Path

import pytest

from services.registry.blob_folder import BlobFile, blob_files
from services.registry.blob_store import BlobStore
from services.registry.distribution import upload_store
from services.registry.distribution.chunks import Chunk, ChunkOutOfOrder
from services.registry.distribution.upload_store import ChunkIncomplete, UploadsExceeded, UploadStore, UploadUnknown
from services.registry.paths import StorePaths
from services.registry.publishing import write_all
from shared.digest import HashingCopy, digest_of
from shared.errors import DigestMismatch

CONTENT = bytes(range(256)) * 40
DIGEST = digest_of(CONTENT)


async def stream(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def broken(content: bytes) -> AsyncIterator[bytes]:
    # As much as is written at once, so that it is on the disk when the connection breaks.
    yield content
    raise ConnectionResetError


async def absent() -> bool:
    return False


async def present() -> bool:
    return True


@pytest.fixture
def uploads(paths: StorePaths) -> UploadStore:
    return UploadStore(paths)


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "blobs").iterdir())


async def test_parts_become_one_blob(uploads: UploadStore, blobs: BlobStore, tmp_path: Path) -> None:
    upload = await uploads.start()
    assert uploads.offset(upload) == 0
    assert await uploads.append(upload, stream(CONTENT[:5000])) == 5000
    assert await uploads.append(upload, stream(CONTENT[5000:]), Chunk(5000, len(CONTENT))) == len(CONTENT)
    assert await uploads.finish(upload, DIGEST, announce=absent) == len(CONTENT)
    assert blobs.read(DIGEST) == CONTENT
    assert files(tmp_path) == [DIGEST.replace(":", "-")]
    with pytest.raises(UploadUnknown):
        uploads.offset(upload)


async def test_a_restart_goes_on_from_the_file(uploads: UploadStore, paths: StorePaths, blobs: BlobStore) -> None:
    upload = await uploads.start()
    await uploads.append(upload, stream(CONTENT[:5000]))
    again = UploadStore(paths)
    assert again.offset(upload) == 5000
    await again.append(upload, stream(CONTENT[5000:]))
    await UploadStore(paths).finish(upload, DIGEST, announce=absent)
    assert blobs.read(DIGEST) == CONTENT


async def test_a_chunk_cut_short_by_a_restart_is_sent_again(uploads: UploadStore, paths: StorePaths) -> None:
    """Ollama sends a failed part again from its start, and has no way to ask how much of it arrived."""
    upload = await uploads.start()
    await uploads.append(upload, stream(CONTENT[:5000]), Chunk(0, 5000))
    path = paths.upload(upload)
    assert path is not None
    with path.open("ab") as file:
        file.write(b"the beginning of a part whose end never came")
    again = UploadStore(paths)
    await again.append(upload, stream(CONTENT[5000:]), Chunk(5000, len(CONTENT)))
    with pytest.raises(ChunkOutOfOrder):
        await again.append(upload, stream(CONTENT[5000:]), Chunk(5000, len(CONTENT)))
    await again.finish(upload, DIGEST, announce=absent)


async def test_a_chunk_that_breaks_off_leaves_nothing_and_a_stream_leaves_what_came(
    uploads: UploadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registry.publishing.WRITE_BYTES", 1000)
    upload = await uploads.start()
    for chunk, kept in ((Chunk(0, 5000), 0), (None, 4000)):
        with pytest.raises(ConnectionResetError):
            await uploads.append(upload, broken(CONTENT[:4000]), chunk)
        assert uploads.offset(upload) == kept
    await uploads.append(upload, stream(CONTENT[4000:]), Chunk(4000, len(CONTENT)))
    await uploads.finish(upload, DIGEST, announce=absent)


async def test_a_cancelled_chunk_is_undone(uploads: UploadStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.registry.publishing.WRITE_BYTES", 1000)
    reached = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield CONTENT[:4000]
        reached.set()
        await asyncio.Event().wait()

    upload = await uploads.start()
    sending = asyncio.create_task(uploads.append(upload, stalled(), Chunk(0, len(CONTENT))))
    await reached.wait()
    assert uploads.offset(upload) == 4000
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await uploads.append(upload, stream(CONTENT), Chunk(0, len(CONTENT)))
    await uploads.finish(upload, DIGEST, announce=absent)


@pytest.mark.parametrize("length", [99, 101])
async def test_a_chunk_of_another_length_than_it_said_is_undone(uploads: UploadStore, length: int) -> None:
    upload = await uploads.start()
    with pytest.raises(ChunkIncomplete):
        await uploads.append(upload, stream(bytes(length)), Chunk(0, 100))
    assert uploads.offset(upload) == 0


async def test_content_of_another_digest_is_dropped(uploads: UploadStore, tmp_path: Path) -> None:
    upload = await uploads.start()
    await uploads.append(upload, stream(CONTENT[1:]))
    with pytest.raises(DigestMismatch):
        await uploads.finish(upload, DIGEST, announce=absent)
    assert files(tmp_path) == []


async def test_a_blob_that_is_here_already_is_left_as_it_is(
    uploads: UploadStore, blobs: BlobStore, paths: StorePaths, tmp_path: Path
) -> None:
    await blobs.commit_bytes(CONTENT)
    before = paths.blob(DIGEST).stat().st_ino
    upload = await uploads.start()
    await uploads.append(upload, stream(CONTENT))
    await uploads.finish(upload, DIGEST, announce=present)
    assert paths.blob(DIGEST).stat().st_ino == before
    assert files(tmp_path) == [DIGEST.replace(":", "-")]


async def test_an_upload_waits_for_the_one_before_and_then_does_not_fit(uploads: UploadStore) -> None:
    upload = await uploads.start()
    may_end = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield CONTENT[:100]
        await may_end.wait()

    first = asyncio.create_task(uploads.append(upload, slow(), Chunk(0, 100)))
    second = asyncio.create_task(uploads.append(upload, stream(CONTENT[:100]), Chunk(0, 100)))
    may_end.set()
    assert await first == 100
    with pytest.raises(ChunkOutOfOrder):
        await second


@pytest.mark.parametrize("upload", ["", "x", "../../etc/passwd", "0" * 32, "0" * 31])
async def test_only_ids_that_were_given_out_are_known(uploads: UploadStore, upload: str) -> None:
    for use in (uploads.offset, uploads.discard):
        with pytest.raises(UploadUnknown):
            use(upload)
    with pytest.raises(UploadUnknown):
        await uploads.append(upload, stream(CONTENT))
    with pytest.raises(UploadUnknown):
        await uploads.finish(upload, DIGEST, announce=absent)


async def test_there_is_a_limit_to_unfinished_uploads(uploads: UploadStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_store, "UPLOADS_MAX", 2)
    first = await uploads.start()
    await uploads.start()
    with pytest.raises(UploadsExceeded):
        await uploads.start()
    uploads.discard(first)
    await uploads.start()


async def test_a_full_disk_leaves_an_upload_that_can_go_on(
    uploads: UploadStore, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await uploads.start()
    await uploads.append(upload, stream(CONTENT[:1000]))

    def half(file: FileIO, content: bytes) -> None:
        write_all(file, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(upload_store, "write_all", half)
    with pytest.raises(OSError, match="No space"):
        await uploads.append(upload, stream(CONTENT[1000:3000]))
    monkeypatch.undo()
    offset = uploads.offset(upload)
    assert 1000 < offset < 3000
    await uploads.append(upload, stream(CONTENT[offset:]))
    await uploads.finish(upload, DIGEST, announce=absent)
    assert blobs.read(DIGEST) == CONTENT


async def test_an_upload_that_begins_while_another_looks_around_keeps_its_turns(
    uploads: UploadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, may_go = threading.Event(), threading.Event()

    def slow_listing(folder: Path) -> tuple[BlobFile, ...]:
        found = blob_files(folder)
        listed.set()
        assert may_go.wait(10)
        return found

    monkeypatch.setattr(upload_store, "blob_files", slow_listing)
    other = asyncio.create_task(uploads.start())
    await asyncio.to_thread(listed.wait, 10)
    monkeypatch.setattr(upload_store, "blob_files", blob_files)
    upload = await uploads.start()
    reached, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield CONTENT[:50]
        reached.set()
        await may_end.wait()
        yield CONTENT[50:100]

    first = asyncio.create_task(uploads.append(upload, slow(), Chunk(0, 100)))
    await reached.wait()
    may_go.set()
    await other
    second = asyncio.create_task(uploads.append(upload, stream(CONTENT[:100]), Chunk(0, 100)))
    await asyncio.to_thread(listed.wait, 10)
    may_end.set()
    assert await first == 100
    with pytest.raises(ChunkOutOfOrder):
        await second


async def test_what_was_hashed_after_a_restart_is_known_though_the_client_left(
    uploads: UploadStore, paths: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await uploads.start()
    await uploads.append(upload, stream(CONTENT))
    begun, may_go = threading.Event(), threading.Event()
    reads: list[int] = []

    class SlowHash(HashingCopy):
        def update(self, chunk: bytes) -> None:
            reads.append(len(chunk))
            begun.set()
            assert may_go.wait(10)
            super().update(chunk)

    monkeypatch.setattr(upload_store, "HashingCopy", SlowHash)
    again = UploadStore(paths)
    left = asyncio.create_task(again.finish(upload, DIGEST, announce=absent))
    await asyncio.to_thread(begun.wait, 10)
    left.cancel()
    may_go.set()
    with pytest.raises(asyncio.CancelledError):
        await left
    assert await again.finish(upload, DIGEST, announce=absent) == len(CONTENT)
    assert sum(reads) == len(CONTENT)
