"""Files of a site on the disk: written whole or not at all, and read again.

Containers read them through bind mounts, each as its own user, so the files are open to everybody; nobody else on the
host comes near them, because the folder around them is open to its owner alone. (A mount is made by Docker, as root,
and inside the container the closed folder is not on the way.)
"""

import os
import tempfile
from pathlib import Path
from typing import Final

CLOSED_FOLDER_MODE: Final = 0o700
FOLDER_MODE: Final = 0o755
FILE_MODE: Final = 0o644
PRIVATE_FILE_MODE: Final = 0o600


def make_folder(path: Path, mode: int) -> None:
    """Make it, with the folders above it; one that is there gets the mode, too."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)


def write_private(path: Path, text: str) -> None:
    """For a file outside the closed folder: one that is there keeps its mode, and a link to it stays one."""
    target = path.resolve()
    write(target, text, mode=target.stat().st_mode & 0o777 if target.exists() else PRIVATE_FILE_MODE)


def write(path: Path, text: str, *, mode: int = FILE_MODE) -> None:
    """Publish by rename, so that a broken-off run leaves no half of a secret for the next one to keep."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(path: Path) -> str:
    """Its text; empty when there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""
