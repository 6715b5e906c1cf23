"""The last member of a backup: the digest of everything before its own content. Behind that only zeros follow.

So `head -c -1536 FILE | sha256sum` and `tar -xOf FILE corral-backup.sha256` tell the same.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from corral.archive.reading import CHUNK_BYTES, Span
from corral.archive.writing import END_OF_ARCHIVE, Out, header_of, padding_of
from corral.errors import CliError

SEAL: Final = "corral-backup.sha256"
_CONTENT_BYTES: Final = 65
SEAL_BYTES: Final = _CONTENT_BYTES + len(padding_of(_CONTENT_BYTES)) + len(END_OF_ARCHIVE)


class Sealing:
    """Notes what goes through it; `seal` is the last thing to call."""

    def __init__(self, out: Out) -> None:
        self._out = out
        self._hashed = hashlib.sha256()

    def write(self, content: bytes, /) -> None:
        self._hashed.update(content)
        self._out.write(content)

    def seal(self) -> None:
        self.write(header_of(SEAL, _CONTENT_BYTES))
        self._out.write(_seal_of(self._hashed.hexdigest()))


def require_sealed(path: Path, blobs: Mapping[str, Span]) -> None:
    """Read the file once, and find every byte as it was written and every blob as its name says.

    Raises: CliError.
    """
    whole = hashlib.sha256()
    body_bytes = path.stat().st_size - SEAL_BYTES
    with path.open("rb") as file:
        for digest, span in sorted(blobs.items(), key=lambda one: one[1].start):
            for piece in _pieces(file, span.start - file.tell()):
                whole.update(piece)
            own = hashlib.sha256()
            for piece in _pieces(file, span.size):
                whole.update(piece)
                own.update(piece)
            if f"sha256:{own.hexdigest()}" != digest:
                raise CliError(f"{path} is damaged: it has other bytes for {digest}")
        for piece in _pieces(file, body_bytes - file.tell()):
            whole.update(piece)
        if file.read(SEAL_BYTES) != _seal_of(whole.hexdigest()):
            raise CliError(f"{path} is damaged or cut off: its bytes are not those that its last member vouches for")


def _seal_of(hex_digest: str) -> bytes:
    return f"{hex_digest}\n".encode() + padding_of(_CONTENT_BYTES) + END_OF_ARCHIVE


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The next `size` bytes, or what there is of them."""
    while size > 0 and (piece := file.read(min(CHUNK_BYTES, size))):
        size -= len(piece)
        yield piece
