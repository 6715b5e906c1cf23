"""How much room a file system has left."""

import os
from pathlib import Path

import msgspec


class DiskSpace(msgspec.Struct, frozen=True, kw_only=True):
    """`free_bytes` is what unprivileged processes may still write."""

    free_bytes: int
    total_bytes: int


def disk_space(folder: Path) -> DiskSpace | None:
    """The room where `folder` is, or would be made; None where nothing can be asked."""
    for existing in (folder, *folder.parents):
        try:
            disk = os.statvfs(existing)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return DiskSpace(free_bytes=disk.f_bavail * disk.f_frsize, total_bytes=disk.f_blocks * disk.f_frsize)
    return None
