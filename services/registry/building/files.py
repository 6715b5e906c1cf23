"""Which uploaded files make which part of a model. Pure: headers were read before.

A part is one GGUF file, a GGUF in numbered splits, or a folder of safetensors that is to be converted.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from services.registry.building.merging import merged_header
from services.registry.gguf import Header
from services.registry.model_facts import ModelFacts, facts_of
from shared.digest import Digest
from shared.errors import ParameterInvalid
from shared.manifest import MediaType

NOT_GGUF: Final = "supplied file was not in GGUF format"
UNKNOWN_TYPE: Final = "unknown type"

_SPLIT: Final = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})\.gguf")
_PROJECTOR_TYPES: Final = ("projector", "mmproj")
_PROJECTOR_ARCHITECTURE: Final = "clip"
"""Files from before `general.type` say what they are by their architecture only."""


class Role(StrEnum):
    """What a GGUF file is to a model; the value is its layer's media type."""

    WEIGHTS = MediaType.MODEL
    PROJECTOR = MediaType.PROJECTOR
    ADAPTER = MediaType.ADAPTER


class GgufFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    digest: Digest
    size_bytes: int
    header: Header


class Gguf(msgspec.Struct, frozen=True, kw_only=True):
    """A GGUF in one file or in several splits, in their order."""

    files: tuple[GgufFile, ...]
    facts: ModelFacts
    role: Role


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of safetensors."""

    files: Mapping[str, Digest]


def is_folder(files: Mapping[str, Digest]) -> bool:
    """Whether the files are to be converted: a folder may hold anything besides its weights."""
    return any(name.endswith(".safetensors") for name in files)


def ggufs_of(files: Sequence[GgufFile]) -> tuple[Gguf, ...]:
    """The GGUFs that the files are, splits gathered.

    Raises: ParameterInvalid when splits are missing or a file is no part of a model, ModelFileInvalid.
    """
    return tuple(_gguf(group) for group in _groups(files))


def _gguf(files: tuple[GgufFile, ...]) -> Gguf:
    facts = facts_of(merged_header([file.header for file in files]))
    return Gguf(files=files, facts=facts, role=role_of(facts))


def role_of(facts: ModelFacts) -> Role:
    """Raises: ParameterInvalid for a file that is no part of a model."""
    if facts.role in _PROJECTOR_TYPES or facts.architecture == _PROJECTOR_ARCHITECTURE:
        return Role.PROJECTOR
    if facts.role == "adapter":
        return Role.ADAPTER
    if facts.role == "model":
        return Role.WEIGHTS
    raise ParameterInvalid(f"a GGUF file of type {facts.role!r} is no part of a model")


def _groups(files: Sequence[GgufFile]) -> list[tuple[GgufFile, ...]]:
    splits: dict[tuple[str, int], dict[int, GgufFile]] = {}
    groups: list[tuple[GgufFile, ...]] = []
    for file in files:
        match = _SPLIT.fullmatch(file.name)
        if match is None:
            groups.append((file,))
        else:
            splits.setdefault((match[1], int(match[3])), {})[int(match[2])] = file
    for (stem, count), found in splits.items():
        if set(found) != set(range(1, count + 1)) or not count:
            raise ParameterInvalid(f"{stem} has {count} parts, and {len(found)} of them were given")
        groups.append(tuple(found[number] for number in range(1, count + 1)))
    return groups


def model_of(ggufs: Sequence[Gguf]) -> tuple[Gguf, tuple[Gguf, ...]]:
    """The weights and the projectors among a model's files.

    Raises: ParameterInvalid unless there is one model and nothing but projectors beside it.
    """
    weights = [gguf for gguf in ggufs if gguf.role is Role.WEIGHTS]
    if any(gguf.role is Role.ADAPTER for gguf in ggufs):
        raise ParameterInvalid("an adapter changes another model: name that model, and the file as its adapter")
    if len(weights) != 1:
        raise ParameterInvalid(f"a model is made of one model file, and {len(weights)} were given")
    return weights[0], projectors_of([gguf for gguf in ggufs if gguf is not weights[0]])


def projectors_of(ggufs: Sequence[Gguf]) -> tuple[Gguf, ...]:
    """Raises: ParameterInvalid when something else is among them."""
    if any(gguf.role is not Role.PROJECTOR for gguf in ggufs):
        raise ParameterInvalid("beside a model that exists, only projectors can be added as files")
    return tuple(ggufs)


def adapter_of(ggufs: Sequence[Gguf]) -> Gguf:
    """Raises: ParameterInvalid unless it is one adapter."""
    if len(ggufs) > 1:
        raise ParameterInvalid("only one adapter is currently supported")
    return _only(ggufs, Role.ADAPTER, "the file given as adapter is none")


def draft_of(ggufs: Sequence[Gguf]) -> Gguf:
    """Raises: ParameterInvalid unless it is one model."""
    return _only(ggufs, Role.WEIGHTS, "a DRAFT is one model file")


def _only(ggufs: Sequence[Gguf], role: Role, otherwise: str) -> Gguf:
    if len(ggufs) != 1 or ggufs[0].role is not role:
        raise ParameterInvalid(otherwise)
    return ggufs[0]


def check_adapter_fits(adapter: ModelFacts, weights: ModelFacts) -> None:
    """Raises: ParameterInvalid when the adapter was made for another kind of model."""
    if adapter.architecture != weights.architecture:
        raise ParameterInvalid(
            f"the adapter is for the architecture {adapter.architecture!r}, the model's is {weights.architecture!r}"
        )
