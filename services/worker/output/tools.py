"""The tools of a request as the readers of calls need them, and what such a reader is. Pure."""

import re
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from shared.errors import ToolCallInvalid
from shared.generation import ToolCall

CALL_ID_CHARACTERS: Final = 8
_CALL_ID_ALPHABET: Final = string.ascii_lowercase + string.digits

RAW_CHARACTERS_MAX: Final = 2000
"""How much of a call that nobody understands is shown in the error."""

_NOT_IN_IDENTIFIERS: Final = re.compile(r"\W")


class Unreadable(ValueError):
    """A call that is not written as its format wants it."""


class Tools:
    """Names and parameters of the tools that a model was offered."""

    def __init__(self, tools: Sequence[Mapping[str, object]]) -> None:
        functions = [as_mapping(tool.get("function")) for tool in tools]
        self._parameters = {
            name: as_mapping(function.get("parameters"))
            for function in functions
            if isinstance(name := function.get("name"), str) and name
        }

    def __bool__(self) -> bool:
        return bool(self._parameters)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._parameters)

    def schema(self, name: str) -> Mapping[str, object]:
        """The JSON schema of the tool's arguments; an empty one for a tool without any, or unknown."""
        return self._parameters.get(name, {})

    def parameter(self, name: str, parameter: str) -> Mapping[str, object] | None:
        """The JSON schema of one argument, if the tool declares it."""
        declared = as_mapping(self.schema(name).get("properties")).get(parameter)
        return declared if isinstance(declared, Mapping) else None

    def known(self, name: str) -> str:
        """The declared name that a model meant by `name`, which may be an identifier made of it; else `name`."""
        if name in self._parameters:
            return name
        meant = (tool for tool in self._parameters if _NOT_IN_IDENTIFIERS.sub("_", tool) == name)
        return next(meant, name)


Reader = Callable[[str, Tools], list[ToolCall]]
"""Reads the body of a section of calls; they have no ids yet.

Raises: ValueError, msgspec.MsgspecError, RecursionError for a body that is not one.
"""


def read_calls(read: Reader, body: str, tools: Tools) -> list[ToolCall]:
    """The calls in `body`, each with an id of its own.

    Raises: ToolCallInvalid in Ollama's words.
    """
    try:
        calls = read(body, tools)
    except (ValueError, RecursionError, msgspec.MsgspecError) as cause:
        raw = body.strip()[:RAW_CHARACTERS_MAX]
        raise ToolCallInvalid(f"error parsing tool call: raw='{raw}', err={cause}") from cause
    return [msgspec.structs.replace(call, call_id=new_call_id()) for call in calls]


def new_call_id() -> str:
    return "call_" + "".join(secrets.choice(_CALL_ID_ALPHABET) for _ in range(CALL_ID_CHARACTERS))


def as_mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
