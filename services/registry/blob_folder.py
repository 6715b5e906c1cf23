"""What lies in the blobs folder, by kind, in one pass. What of it may go is decided in `collect`."""

import os
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from services.registry.paths import UPLOAD_PREFIX
from shared.digest import Digest

_BLOB: Final = re.compile(r"sha256-([0-9a-f]{64})(-partial(?:-\d+)?)?")
_SECTOR_BYTES: Final = 512
"""Unit of `st_blocks`, whatever the file system's own is (POSIX)."""


class FileKind(StrEnum):
    BLOB = "blob"
    UPLOAD = "upload"
    PARTIAL = "partial"
    OTHER = "other"  # nobody we know; never touched


class BlobFile(msgspec.Struct, frozen=True, kw_only=True):
    """`size_bytes` is what the file takes of the disk; a partial download is sparse and takes less than its length.

    `changed_unix_s` is the later of the last write and the last change of the file's entry: a file that was moved
    here with its old time of writing has just arrived.
    """

    path: Path
    kind: FileKind
    digest: Digest | None
    size_bytes: int
    changed_unix_s: float


def kind_of(file_name: str) -> tuple[FileKind, Digest | None]:
    match = _BLOB.fullmatch(file_name)
    if match is not None:
        return FileKind.PARTIAL if match[2] else FileKind.BLOB, Digest(f"sha256:{match[1]}")
    return (FileKind.UPLOAD if file_name.startswith(UPLOAD_PREFIX) else FileKind.OTHER), None


def blob_files(folder: Path) -> tuple[BlobFile, ...]:
    """Every file of the folder; what vanishes meanwhile is left out."""
    found: list[BlobFile] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                facts = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            kind, digest = kind_of(entry.name)
            found.append(
                BlobFile(
                    path=Path(entry.path),
                    kind=kind,
                    digest=digest,
                    size_bytes=facts.st_blocks * _SECTOR_BYTES if kind is FileKind.PARTIAL else facts.st_size,
                    changed_unix_s=max(facts.st_mtime, facts.st_ctime),
                )
            )
    return tuple(found)


def total_bytes(files: Iterable[BlobFile]) -> int:
    return sum(file.size_bytes for file in files)
