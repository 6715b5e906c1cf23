"""Which Modelfiles a folder holds, and which models they are.

    Modelfile.bot              bot:latest
    bot.modelfile              bot:latest
    Modelfile.bot@1.2          bot:1.2           (`@`, because not every file system allows a colon)
    team/Modelfile.bot         team/bot:latest   (a folder is a namespace, a folder in a folder a host)

Hidden files and folders are passed over.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from corral.errors import CliError
from corral.model_names import DEFAULT_TAG, ModelName, model_name

PREFIX: Final = "modelfile."
SUFFIX: Final = ".modelfile"
TAG_SIGN: Final = "@"


@dataclass(frozen=True)
class Found:
    """A Modelfile and the model it describes; `where` is its path in the folder, as people read it."""

    path: Path
    where: str
    name: ModelName


@dataclass(frozen=True)
class Problem:
    """Why a Modelfile cannot be applied."""

    where: str
    message: str


def discover(folder: Path) -> tuple[list[Found], list[Problem]]:
    """Raises: CliError when there is no such folder, or no Modelfile in it."""
    if not folder.is_dir():
        raise CliError(f"{folder} is not a folder")
    found: list[Found] = []
    problems: list[Problem] = []
    for path in _modelfiles(folder):
        where = PurePosixPath(*path.relative_to(folder).parts)
        try:
            found.append(Found(path, str(where), name_of(where)))
        except CliError as error:
            problems.append(Problem(str(where), str(error)))
    if not found and not problems:
        raise CliError(f"{folder} holds no Modelfile.NAME and no NAME.modelfile")
    twice = _described_twice(found)
    return [one for one in found if one.name.folded not in twice], [
        *problems,
        *(Problem(one.where, f"{one.name.short} has another Modelfile") for one in found if one.name.folded in twice),
    ]


def name_of(where: PurePosixPath) -> ModelName:
    """The model that a Modelfile at this path describes.

    Raises: CliError when the path does not spell a name.
    """
    file = where.name
    if file.lower().startswith(PREFIX):
        text = file[len(PREFIX) :]
    elif file.lower().endswith(SUFFIX):
        text = file[: -len(SUFFIX)]
    else:
        raise CliError("its file name does not say which model it is; call it Modelfile.NAME")
    model, _, tag = text.partition(TAG_SIGN)
    if len(where.parts) > 3:
        raise CliError("it lies too deep: a folder is a namespace, a folder in a folder a host")
    return model_name(*where.parts[:-1], model, tag=tag if TAG_SIGN in text else DEFAULT_TAG)


def _modelfiles(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        visible = (file for file in sorted(files) if not file.startswith("."))
        yield from (Path(parent, file) for file in visible if _is_modelfile(file.lower()))


def _is_modelfile(lower: str) -> bool:
    """Also of one that does not say which model it is, so that it is not passed over in silence."""
    return lower.startswith(PREFIX) or lower.endswith(SUFFIX) or lower == PREFIX.rstrip(".")


def _described_twice(found: list[Found]) -> set[str]:
    by_name: defaultdict[str, list[Found]] = defaultdict(list)
    for one in found:
        by_name[one.name.folded].append(one)
    return {folded for folded, same in by_name.items() if len(same) > 1}
