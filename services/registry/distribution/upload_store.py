"""Uploads that come in parts, over several requests and across restarts of the registry.

    start ──► (append …)* ──► finish ──► a published blob
                  └────────► discard, or the collection once it was left alone

The file is the whole state: its size is the offset. In memory there is only the hash of what it holds, so that a
blob of many gigabytes need not be read again; where that is missing (after a restart), the file is hashed once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from services.registry.blob_folder import FileKind, blob_files
from services.registry.distribution.chunks import Chunk, begin_of
from services.registry.paths import UPLOAD_PREFIX, StorePaths
from services.registry.publishing import gathered, on_thread, publish, write_all
from shared.digest import Digest, HashingCopy
from shared.errors import DigestMismatch

UPLOADS_MAX: Final = 1024
"""Unfinished uploads at the same time. An Ollama that pushes has at most 64."""

_READ_BYTES: Final = 1 << 20


class UploadUnknown(Exception):
    """No upload has this id: it never began, is finished, or was left alone for too long."""


class UploadsExceeded(Exception):
    """Too many uploads are unfinished."""


class ChunkIncomplete(Exception):
    """The body was shorter or longer than the range said; nothing of it was kept."""


class _Upload:
    """One at a time may change an upload. `copied` has hashed the whole file, or nothing that can be relied on."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.copied: HashingCopy | None = None

    def settled(self, offset: int) -> bool:
        return self.copied is not None and self.copied.size_bytes == offset


class UploadStore:
    def __init__(self, paths: StorePaths) -> None:
        self._paths = paths
        self._uploads: dict[str, _Upload] = {}

    async def start(self) -> str:
        """A new, empty upload's id.

        Raises: UploadsExceeded.
        """
        known = set(self._uploads)  # uploads that begin during the listing are not on it
        files = await on_thread(blob_files, self._paths.blobs)
        unfinished = {file.path.name.removeprefix(UPLOAD_PREFIX) for file in files if file.kind is FileKind.UPLOAD}
        if len(unfinished) >= UPLOADS_MAX:
            raise UploadsExceeded
        for collected in known - unfinished:
            if collected in self._uploads and not self._uploads[collected].turn.locked():
                self._uploads.pop(collected)
        path = self._paths.new_upload()
        path.touch(exist_ok=False)
        upload_id = path.name.removeprefix(UPLOAD_PREFIX)
        self._uploads[upload_id] = _Upload()
        self._uploads[upload_id].copied = HashingCopy()
        return upload_id

    def offset(self, upload_id: str) -> int:
        """How many bytes have been received.

        Raises: UploadUnknown.
        """
        return self._path(upload_id).stat().st_size

    async def append(self, upload_id: str, chunks: AsyncIterator[bytes], chunk: Chunk | None = None) -> int:
        """Write on; returns the new offset. A `chunk` that breaks off is undone, bytes without a range are kept.

        Raises: UploadUnknown, ChunkOutOfOrder, ChunkIncomplete, and whatever `chunks` raises.
        """
        path = self._path(upload_id)
        upload = self._upload(upload_id)
        async with upload.turn:
            offset = self.offset(upload_id)
            begin = begin_of(chunk, offset, settled=upload.settled(offset))
            copied = await on_thread(_hashed, path, begin, upload)
            undo = copied.fork()
            try:
                await _write(path, begin, chunks, copied)
                if chunk is not None and copied.size_bytes != chunk.end:
                    raise ChunkIncomplete
            except BaseException:
                if chunk is not None:
                    await on_thread(_cut, path, begin)
                    upload.copied = undo
                raise
            return copied.size_bytes

    async def finish(self, upload_id: str, wanted: Digest, *, announce: Callable[[], Awaitable[bool]]) -> int:
        """Publish the upload as the blob `wanted`; returns its size. `announce` is awaited when the content is right,
        before the blob appears, and says whether the store has it already.

        Raises: UploadUnknown, DigestMismatch (the upload is gone).
        """
        path = self._path(upload_id)
        upload = self._upload(upload_id)
        async with upload.turn:
            offset = self.offset(upload_id)
            copied = await on_thread(_hashed, path, offset, upload)
            if copied.digest != wanted:
                self.discard(upload_id)
                raise DigestMismatch(wanted=wanted, got=copied.digest)
            if await announce():
                self.discard(upload_id)
            else:
                await on_thread(publish, path, self._paths.blob(wanted))
                self._uploads.pop(upload_id, None)
            return offset

    def discard(self, upload_id: str) -> None:
        """Raises: UploadUnknown."""
        self._path(upload_id).unlink(missing_ok=True)
        self._uploads.pop(upload_id, None)

    def _path(self, upload_id: str) -> Path:
        path = self._paths.upload(upload_id)
        if path is None or not path.is_file():
            self._uploads.pop(upload_id, None)
            raise UploadUnknown(upload_id)
        return path

    def _upload(self, upload_id: str) -> _Upload:
        return self._uploads.setdefault(upload_id, _Upload())


async def _write(path: Path, begin: int, chunks: AsyncIterator[bytes], copied: HashingCopy) -> None:
    # Unbuffered: chunks are large, and a failing write must fail at the write.
    with path.open("r+b", buffering=0) as file:
        file.truncate(begin)
        file.seek(begin)

        def write(content: bytes) -> None:
            write_all(file, content)
            copied.update(content)

        async for piece in gathered(chunks):
            await on_thread(write, piece)


def _hashed(path: Path, size_bytes: int, upload: _Upload) -> HashingCopy:
    """The hash of the file's first `size_bytes`: the one that is known, or read from the file and known from now on,
    also when the client that asked has left meanwhile."""
    if upload.copied is not None and upload.copied.size_bytes == size_bytes:
        return upload.copied
    copied = HashingCopy()
    with path.open("rb") as file:
        while copied.size_bytes < size_bytes:
            content = file.read(min(_READ_BYTES, size_bytes - copied.size_bytes))
            assert content, "the file became shorter while it was read"
            copied.update(content)
    upload.copied = copied
    return copied


def _cut(path: Path, size_bytes: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size_bytes)
