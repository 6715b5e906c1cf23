"""`backup` and `restore`: keys and models as one file, for the day on which the volumes are gone."""

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from corral.archive.writing import written_whole
from corral.backup.checking import Backup, read_backup
from corral.backup.making import Gathered, gather, write_backup
from corral.backup.restoring import Fate, Restored, restore_keys, restore_models, sources_of
from corral.client import Client, Json
from corral.commands.parsers import Subparsers
from corral.errors import CliError
from corral.format import human_bytes
from corral.registry import Registry
from corral.terminal import display

PIPE: Final = "-"
ONLY_ITS_OWNERS: Final = 0o600


def add_parsers(commands: Subparsers) -> None:
    backing = commands.add_parser("backup", help="write keys and models to a file")
    backing.add_argument("file", metavar="FILE", help="replaced when it is there; - is stdout")
    backing.add_argument("--blobs", action="store_true", help="with weights, as large as they are")
    backing.set_defaults(run=backup)
    restoring = commands.add_parser("restore", help="bring back the keys and models of a backup")
    restoring.add_argument("file", metavar="FILE", help="- is stdin")
    restoring.add_argument("--replace", action="store_true", help="overwrite keys and models that are there and differ")
    restoring.add_argument("--check", action="store_true", help="only see whether the file is a whole backup")
    restoring.set_defaults(run=restore)


def backup(arguments: argparse.Namespace, client: Client) -> None:
    with display() as shown:
        gathered = gather(client, shown, with_weights=arguments.blobs)
        with destination(arguments.file) as out:
            index = write_backup(out, gathered, Registry(client), shown)
    told: TextIO = sys.stderr if arguments.file == PIPE else sys.stdout
    print(f"backed up {summary(index)}", file=told)
    if gathered.broken:
        raise CliError(broken(gathered))


def broken(gathered: Gathered) -> str:
    lost = ", ".join(f"{name.short} ({blob.digest[:19]})" for name, blob in gathered.broken.items())
    return f"the backup is without these models, of which the cluster has lost parts: {lost}"


def restore(arguments: argparse.Namespace, client: Client) -> None:
    with source(arguments.file) as path:
        found = read_backup(path)
        if arguments.check:
            print(f"the backup is whole: {summary(found.index)}, made {found.index['created_at']}")
            return
        for line in told_of_keys(restore_keys(found, client, replace=arguments.replace)):
            print(line, flush=True)
        models = list(_restored_models(found, client, replace=arguments.replace))
    lacking = [one for one in models if one.lacking]
    if lacking:
        raise CliError(told_of_lacking(lacking))


def _restored_models(found: Backup, client: Client, *, replace: bool) -> Iterator[Restored]:
    with display() as shown:
        for one in restore_models(found, client, shown, replace=replace):
            print(told_of_model(one), flush=True)
            yield one


@contextlib.contextmanager
def destination(file: str) -> Iterator[BinaryIO]:
    """Raises: CliError."""
    if file != PIPE:
        with written_whole(Path(file), mode=ONLY_ITS_OWNERS) as out:
            yield out
        return
    if sys.stdout.isatty():
        raise CliError("a backup is no text for a terminal: name a file, or pipe it somewhere")
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # whoever read it left and has said why
    except OSError as cause:
        raise CliError(f"cannot write to stdout: {cause.strerror}") from cause


@contextlib.contextmanager
def source(file: str) -> Iterator[Path]:
    """The file, or a temporary one with what comes in: nothing may be restored before all of it was checked."""
    if file != PIPE:
        yield Path(file)
        return
    with tempfile.NamedTemporaryFile(prefix="corral-restore-", suffix=".tar") as spooled:
        try:
            shutil.copyfileobj(sys.stdin.buffer, spooled)
            spooled.flush()
        except OSError as cause:
            raise CliError(f"cannot keep what comes in as {spooled.name}: {cause.strerror}") from cause
        yield Path(spooled.name)


def summary(index: Json) -> str:
    blobs, left_out = index["blobs"], index["left_out"]
    keys, models = counted(index["keys"]["count"], "key"), counted(len(index["models"]), "model")
    text = f"{keys}, {models}, {human_bytes(blobs['bytes'])} of their parts"
    return f"{text} ({human_bytes(left_out['bytes'])} left out)" if left_out["count"] else text


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


FATES: Final[Mapping[str, str]] = {
    Fate.ADDED: "added {}",
    Fate.REPLACED: "replaced {}",
    Fate.SAME: "{} is there already",
    Fate.KEPT: "kept {}, which differs from the backup's; --replace would overwrite it",
    Fate.LACKS: "left out {}: nobody has {}",
}


def told_of_keys(reply: Json) -> Iterator[str]:
    for fate in (Fate.ADDED, Fate.REPLACED, Fate.SAME, Fate.KEPT):
        for key in reply[fate]:
            yield FATES[fate].format(f"key {key['id']} '{key['name']}'")


def told_of_model(one: Restored) -> str:
    lacking = ", ".join(f"{blob.digest[:19]} ({human_bytes(blob.size)})" for blob in one.lacking)
    return FATES[one.fate].format(f"model '{one.name.short}'", lacking)


def told_of_lacking(lacking: list[Restored]) -> str:
    pulls = "\n".join(f"  corral pull {name}" for name in sources_of(lacking))
    return (
        f"{counted(len(lacking), 'model')} left out for want of parts that neither the backup nor the cluster has. "
        f"Pull these, or import or push the models from where they are, then restore again:\n{pulls}"
    )
