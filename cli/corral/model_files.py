"""The files of this machine that FROM, ADAPTER and DRAFT name. Sending them is `building.py`'s.

Source: Ollama `parser/parser.go` (filesForModel, expandPath).
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from corral.errors import CliError

WEIGHTS: Final = (
    ("model*.safetensors", "*/model*.safetensors"),
    ("consolidated*.safetensors",),
    ("pytorch_model*.bin",),
    ("consolidated*.pth",),
    ("*.gguf",),
    ("*.bin",),
)
"""What a model's folder holds its weights in: the first of these that is there."""

ADAPTER_WEIGHTS: Final = (("adapter_model*.safetensors",), ("adapters*.safetensors",), *WEIGHTS)
BESIDE_WEIGHTS: Final = ("*.json", "*/*.json", "chat_template.jinja", "tokenizer.model")
LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"

Files = Mapping[str, Path]
"""Files by the name they have in a request: relative, with slashes."""


def local_path(text: str, folder: Path) -> Path:
    """What a Modelfile in `folder` means by a path."""
    return folder / Path(os.path.expanduser(text))  # noqa: PTH111 - keeps `~nobody` as it is where pathlib raises


def files_of(text: str, folder: Path, *, of_adapter: bool = False) -> list[Path] | None:
    """The files that a path of a Modelfile stands for; None when nothing is there.

    Raises: CliError for a folder that holds no model, a link that leads out of it, a file that git-lfs has not fetched.
    """
    path = local_path(text, folder)
    if not os.path.exists(path):  # noqa: PTH110 - false also for what cannot be a path, where pathlib raises
        return None
    files = [path] if path.is_file() else _files_of_folder(path, ADAPTER_WEIGHTS if of_adapter else WEIGHTS)
    for file in files:
        _require_content(file)
    return files


def required_files_of(instruction: str, text: str, folder: Path) -> list[Path]:
    """As `files_of`, for an instruction that cannot name a model of the server.

    Raises: CliError also when nothing is there.
    """
    files = files_of(text, folder, of_adapter=instruction == "ADAPTER")
    if files is None:
        raise CliError(f"{instruction} {text}: no such file or folder")
    return files


def named(files: Iterable[Path]) -> Files:
    """Each file under its path from the folder common to all of them.

    Raises: CliError when they have none.
    """
    paths = [Path(os.path.abspath(file)) for file in dict.fromkeys(files)]  # noqa: PTH100 - links keep their names
    if not paths:
        return {}
    try:
        root = Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError as cause:
        raise CliError(f"files on different drives cannot make one model: {', '.join(map(str, paths))}") from cause
    return {PurePosixPath(*path.relative_to(root).parts).as_posix(): path for path in paths}


def _files_of_folder(folder: Path, kinds_of_weights: Iterable[tuple[str, ...]]) -> list[Path]:
    found = (_matches(folder, patterns) for patterns in kinds_of_weights)
    weights = next((files for files in found if files), None)
    if weights is None:
        raise CliError("no Modelfile or safetensors files found")
    files = list(dict.fromkeys([*weights, *_matches(folder, BESIDE_WEIGHTS)]))
    for file in files:
        _require_inside(file, folder)
    return files


def _matches(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return [path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()]


def _require_inside(file: Path, folder: Path) -> None:
    """A link may not bring in what lies elsewhere."""
    if not file.resolve().is_relative_to(folder.resolve()):
        outside = os.path.relpath(file.resolve(), folder.resolve())
        hint = "; download the model with links off, for example with --local-dir" if ".cache" in outside else ""
        raise CliError(f"insecure path: {outside}{hint}")


def _require_content(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            is_pointer = opened.read(len(LFS_POINTER)) == LFS_POINTER
    except OSError as cause:
        raise CliError(f"cannot read {file}: {cause.strerror}") from cause
    if is_pointer:
        raise CliError(f"{file} only points to the real file; 'git lfs pull' fetches it")
