"""Writes planned files and takes them away again. What somebody else wrote or changed is never touched.

`installed.json` in the folder of settings says what was written: the SHA-256 of every file, and the folders made for
them. It is written before the files, so that an installation that broke off can be removed, too.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from corral.errors import CliError
from corral.systemd.plan import SECRET_MODE, PlannedFile

RECORD_NAME: Final = "installed.json"
FOLDER_MODE: Final = 0o755
Say = Callable[[str], None]


class Step(Enum):
    """What to do with one path."""

    WRITE = "write"
    KEEP = "keep"


@dataclass(frozen=True)
class Record:
    """What an installation wrote."""

    files: dict[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()


def step_for(on_disk: str | None, recorded: str | None) -> Step:
    """Write what is not there or still is as we left it; the arguments are digests, None for no file."""
    return Step.WRITE if on_disk is None or on_disk == recorded else Step.KEEP


def install(files: Iterable[PlannedFile], folder: Path, say: Say) -> None:
    """Write the files, with their record in `folder`; files of an earlier installation that are not among them go.

    Raises: CliError when a file cannot be read or written.
    """
    files = tuple(files)
    try:
        old = read_record(folder)
        steps = {file: step_for(_digest_on_disk(file.path), old.files.get(str(file.path))) for file in files}
        written = {str(file.path): digest(file.text) for file, step in steps.items() if step is Step.WRITE}
        planned = {str(file.path) for file in files}
        obsolete = {path: known for path, known in old.files.items() if path not in planned}
        current = {path: known for path, known in old.files.items() if path in planned} | written
        made = _make_folders({file.path.parent for file in files} | {folder})
        _write_record(folder, Record(obsolete | current, (*old.folders, *made)))
        for file, step in steps.items():
            if step is Step.KEEP:
                say(f"kept {file.path}: it is not as it was installed; --dry-run shows what it would be")
            else:
                _write(file.path, file.text, file.mode)
                say(f"wrote {file.path}")
        for path, known in obsolete.items():
            _remove(Path(path), known, say)
        _write_record(folder, Record(current, (*old.folders, *made)))
    except OSError as cause:
        raise CliError(f"cannot install: {cause}") from cause


def uninstall(folder: Path, say: Say) -> None:
    """Remove exactly what was written and is unchanged, then the folders made for it that are empty now.

    Raises: CliError when nothing is installed or a file cannot be removed.
    """
    try:
        if not (folder / RECORD_NAME).exists():
            raise CliError(f"nothing is installed: there is no {folder / RECORD_NAME}")
        record = read_record(folder)
        for path, known in record.files.items():
            _remove(Path(path), known, say)
        (folder / RECORD_NAME).unlink()
        for made in sorted(record.folders, key=len, reverse=True):
            if Path(made).is_dir() and not any(Path(made).iterdir()):
                Path(made).rmdir()
    except OSError as cause:
        raise CliError(f"cannot uninstall: {cause}") from cause


def read_record(folder: Path) -> Record:
    """What is installed; an empty record when nothing is. Raises: CliError, OSError."""
    path = folder / RECORD_NAME
    if not path.exists():
        return Record()
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Record(
            {str(name): str(known) for name, known in told["files"].items()}, tuple(map(str, told["folders"]))
        )
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise CliError(f"{path} cannot be read as the record of an installation") from cause


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_on_disk(path: Path) -> str | None:
    """None where nothing is; a link or a folder is nobody's digest."""
    if path.is_symlink() or path.is_dir():
        return "not a file"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def _make_folders(wanted: Iterable[Path]) -> list[str]:
    """Make the folders that are missing, parents too; gives those that were."""
    missing = {str(each) for folder in wanted for each in (folder, *folder.parents) if not each.exists()}
    for folder in sorted(missing, key=len):
        Path(folder).mkdir(mode=FOLDER_MODE)
    return sorted(missing, key=len)


def _write_record(folder: Path, record: Record) -> None:
    text = json.dumps({"files": record.files, "folders": list(dict.fromkeys(record.folders))}, indent=2)
    _write(folder / RECORD_NAME, text + "\n", SECRET_MODE)


def _write(path: Path, text: str, mode: int) -> None:
    """Publish by rename: systemd never reads half a unit, and a secret never has a wider mode."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _remove(path: Path, known: str, say: Say) -> None:
    on_disk = _digest_on_disk(path)
    if on_disk is None:
        return
    if on_disk != known:
        say(f"kept {path}: it was changed since it was installed")
        return
    path.unlink()
    say(f"removed {path}")
