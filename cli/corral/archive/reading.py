"""An archive's table of contents, read from a file that may be hostile: nothing is unpacked, only looked up.

What is trusted: nothing but the sizes in its headers, which bound what is read; digests are checked by `importing.py`.
"""

import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, cast

from corral.archive.layout import parse_member
from corral.errors import CliError
from corral.manifests import MANIFEST_BYTES_MAX
from corral.model_names import ModelName

MEMBERS_MAX: Final = 100_000
HEADER_BYTES_MAX: Final = 1 << 20
CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Span:
    """Where a member's bytes lie in the file."""

    start: int
    size: int


@dataclass(frozen=True)
class Contents:
    """What the archive at `path` holds; `documents` are what it has beside parts of models, by their names."""

    path: Path
    manifests: dict[ModelName, Span] = field(default_factory=dict)
    blobs: dict[str, Span] = field(default_factory=dict)
    documents: dict[str, Span] = field(default_factory=dict)

    def chunks(self, span: Span) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(span.start)
            left = span.size
            while left:
                chunk = file.read(min(CHUNK_BYTES, left))
                if not chunk:
                    raise CliError(f"{self.path} is cut off")
                left -= len(chunk)
                yield chunk

    def manifest(self, name: ModelName) -> bytes:
        return self._small(self.manifests[name], f"the manifest of {name.short}", MANIFEST_BYTES_MAX)

    def document(self, name: str, *, bytes_max: int) -> bytes:
        if name not in self.documents:
            raise CliError(f"{self.path} has no {name}")
        return self._small(self.documents[name], name, bytes_max)

    def _small(self, span: Span, what: str, bytes_max: int) -> bytes:
        if span.size > bytes_max:
            raise CliError(f"{what} is larger than {bytes_max} bytes")
        return b"".join(self.chunks(span))


class _Headers:
    """A file from which only pieces of a header's size are read, so that no header can fill the memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= HEADER_BYTES_MAX:
            raise CliError("the archive has an impossibly large header")
        return self._file.read(size)


def read_contents(path: Path, *, documents: Collection[str] = ()) -> Contents:
    """`documents` are names of members that may be there beside the parts of models.

    Raises: CliError for a file that cannot be read, is no plain tar, or holds anything else.
    """
    contents = Contents(path)
    try:
        with path.open("rb") as file, tarfile.open(fileobj=cast("BinaryIO", _Headers(file)), mode="r:") as tar:
            for count, member in enumerate(tar):
                if count >= MEMBERS_MAX:
                    raise CliError(f"the archive has more than {MEMBERS_MAX} members")
                _note(member, contents, documents)
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as cause:
        raise CliError(f"{path} is not a tar file, or it is damaged: {cause}") from cause
    except OSError as cause:
        raise CliError(f"cannot read {path}: {cause.strerror}") from cause
    return contents


def _note(member: tarfile.TarInfo, contents: Contents, documents: Collection[str]) -> None:
    """Folders say nothing; links, devices and sparse files have no place in a store."""
    if member.isdir():
        return
    if not member.isreg() or member.issparse() or member.size < 0:
        raise CliError(f"the archive holds {member.name!r}, which is not an ordinary file")
    span = Span(member.offset_data, member.size)
    part = member.name if member.name in documents else parse_member(member.name)
    if part in contents.manifests or part in contents.blobs or part in contents.documents:
        raise CliError(f"the archive holds {member.name!r} twice")
    if isinstance(part, ModelName):
        contents.manifests[part] = span
    elif part in documents:
        contents.documents[part] = span
    else:
        contents.blobs[part] = span
