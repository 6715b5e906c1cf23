"""Tar members written one after another as their bytes come, into a file that appears whole or not at all."""

import contextlib
import os
import secrets
import tarfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from corral.errors import CliError

END_OF_ARCHIVE: Final = bytes(2 * tarfile.BLOCKSIZE)
EVERYBODYS: Final = 0o666
"""The mode of ordinary files, from which the umask takes away."""


class Out(Protocol):
    """Where an archive goes."""

    def write(self, content: bytes, /) -> object: ...


@contextlib.contextmanager
def written_whole(file: Path, *, mode: int = EVERYBODYS) -> Iterator[BinaryIO]:
    """A new file under another name, which takes this one when the block ends well.

    Raises: CliError; nothing is left behind and an older file is as it was.
    """
    if not file.name or file.is_dir():
        raise CliError(f"{file} is a folder: name a file")
    # A name of its own: two that write the same file at once must not mix.
    part = file.with_name(f"{file.name}.{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as cause:
        raise CliError(f"cannot write {file}: {cause.strerror}") from cause
    finally:
        part.unlink(missing_ok=True)


def write_member(out: Out, path: str, size: int, chunks: Iterable[bytes]) -> None:
    """`chunks` have `size` bytes."""
    out.write(header_of(path, size))
    for chunk in chunks:
        out.write(chunk)
    out.write(padding_of(size))


def header_of(path: str, size: int) -> bytes:
    header = tarfile.TarInfo(path)
    header.size, header.mtime = size, int(time.time())
    return header.tobuf(tarfile.PAX_FORMAT)


def padding_of(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
