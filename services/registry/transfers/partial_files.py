"""A blob that is being downloaded: its sparse file, the state file of every part, and its publication. Blocking.

    sha256-<hex>-partial       as long as the blob; what has not arrived yet is a hole
    sha256-<hex>-partial-<N>   JSON {"N", "Offset", "Size", "Completed"} of one part

Data are written before the state that claims them, and the kernel keeps both when the process is killed: a state never
claims too much. A power cut may break that; the digest tells. Ollama's files are understood and Ollama understands
these.
"""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from services.registry.paths import StorePaths
from services.registry.publishing import publish
from services.registry.transfers.parts import (
    Part,
    adopt,
    completed_bytes,
    decode_state,
    encode_state,
    prefix_bytes,
)
from shared.digest import Digest
from shared.errors import UpstreamFailed

BUFFERS_MAX: Final = 512
"""As many as one call may write (POSIX promises 16, Linux takes 1024)."""


def read_states(paths: StorePaths, digest: Digest, size_bytes: int) -> tuple[Part, ...]:
    """The parts of an earlier download that can be gone on with; empty when there is none.

    A file of another length is not this blob's: nothing that is said of it can be relied on.
    """
    try:
        if paths.partial(digest).stat().st_size != size_bytes:
            return ()
    except FileNotFoundError:
        return ()
    states = (decode_state(path.read_bytes()) for path in paths.part_states(digest))
    return tuple(state for state in states if state is not None)


def missing_bytes(paths: StorePaths, digest: Digest, size_bytes: int) -> int:
    """How much of a blob that is not here is still to come."""
    found = adopt(read_states(paths, digest, size_bytes), size_bytes, max(size_bytes, 1))
    return size_bytes - completed_bytes(found)


class PartialFile:
    """One download's file, this process's alone while it is open. Parts may be written from several threads, one
    thread to a part."""

    def __init__(self, paths: StorePaths, digest: Digest, size_bytes: int) -> None:
        """Take the file, which is made if there is none. Nothing else is done before `prepare`.

        Raises: UpstreamFailed when another process is at it.
        """
        self.size_bytes = size_bytes
        self._paths = paths
        self._digest = digest
        self._parts: list[Part] = []
        self._descriptor = os.open(paths.partial(digest), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._lock()
        except BaseException:
            self.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_current = os.path.samestat(os.fstat(self._descriptor), self._paths.partial(self._digest).stat())
        except (BlockingIOError, FileNotFoundError):
            is_current = False
        if not is_current:  # or it became the blob after it was opened
            raise UpstreamFailed(f"another process is downloading {self._digest}")

    def prepare(self, part_bytes: int) -> None:
        """Go on where an earlier download of the blob stopped, or begin one with parts of that size.

        The data file gets its length last, for that makes the states count.
        """
        self._parts = list(adopt(read_states(self._paths, self._digest, self.size_bytes), self.size_bytes, part_bytes))
        planned = {self._paths.part_state(self._digest, part.number) for part in self._parts}
        for stale in set(self._paths.part_states(self._digest)) - planned:
            stale.unlink()
        for part in self._parts:
            self._write_state(part)
        os.ftruncate(self._descriptor, self.size_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """What has arrived stays for another time."""
        os.close(self._descriptor)

    @property
    def parts(self) -> Sequence[Part]:
        return self._parts

    @property
    def completed_bytes(self) -> int:
        return completed_bytes(self._parts)

    @property
    def prefix_bytes(self) -> int:
        return prefix_bytes(self._parts)

    def append(self, index: int, chunks: Sequence[bytes]) -> None:
        """Write the next bytes of a part, then its state."""
        part = self._parts[index]
        position = part.position
        for start in range(0, len(chunks), BUFFERS_MAX):
            position += _write_all(self._descriptor, chunks[start : start + BUFFERS_MAX], position)
        grown = msgspec.structs.replace(part, completed=position - part.offset)
        assert grown.completed <= grown.size, "a part takes its own bytes only"
        self._write_state(grown)
        self._parts[index] = grown

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill the buffer from that position on; returns how many bytes there were."""
        return os.preadv(self._descriptor, [buffer], position)

    def sync(self) -> None:
        """Return when what was written before is on the disk."""
        os.fdatasync(self._descriptor)

    def discard(self) -> None:
        """Throw the content away: it is not what it should be."""
        self._parts = [msgspec.structs.replace(part, completed=0) for part in self._parts]
        for part in self._parts:
            self._write_state(part)
        os.ftruncate(self._descriptor, 0)
        os.ftruncate(self._descriptor, self.size_bytes)

    def publish(self) -> None:
        """The content is right: make it the blob."""
        publish(self._paths.partial(self._digest), self._paths.blob(self._digest))
        for path in self._paths.part_states(self._digest):
            path.unlink(missing_ok=True)

    def _write_state(self, part: Part) -> None:
        descriptor = os.open(self._paths.part_state(self._digest, part.number), os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            content = encode_state(part)
            os.pwrite(descriptor, content, 0)
            os.ftruncate(descriptor, len(content))
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, chunks: Sequence[bytes], position: int) -> int:
    """Write the chunks one after another; returns their length."""
    total = sum(map(len, chunks))
    written = os.pwritev(descriptor, chunks, position)
    if written < total:
        rest = memoryview(b"".join(chunks))[written:]
        while rest:
            count = os.pwrite(descriptor, rest, position + total - len(rest))
            rest = rest[count:]
    return total


def remove_leftovers(paths: StorePaths) -> int:
    """Remove states whose data are gone, which a process leaves that dies right after publishing; returns how many."""
    leftovers = [path for path in paths.all_part_states() if not _data_of(path).exists()]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


def _data_of(state: Path) -> Path:
    return state.with_name(state.name.rsplit("-", 1)[0])
