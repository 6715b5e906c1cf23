"""A client's JSON schemas and tools on their way to the workers: checked for what cannot be sent or followed. Pure."""

import json
from collections.abc import Mapping, Sequence

import msgspec

from shared.errors import ParameterInvalid


def json_schema_text(schema: Mapping[str, object]) -> str:
    """The schema as text, its properties in their order.

    Raises: ParameterInvalid for a schema nested so deeply that nobody could follow it.
    """
    return json_text(schema, what="the JSON schema")


def json_text(value: object, *, what: str) -> str:
    """Compact JSON, members in their order. `what` names it in the error.

    Raises: ParameterInvalid for what is nested too deeply.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError as cause:
        raise ParameterInvalid(f"{what} is nested too deeply") from cause


def sendable_tools(tools: Sequence[dict[str, object]]) -> tuple[dict[str, object], ...]:
    """The tools, now that they are known to survive the way to a worker.

    Raises: ParameterInvalid for those nested too deeply, or with a number of more than 64 bits.
    """
    try:
        msgspec.msgpack.encode(tools)
    except RecursionError as cause:
        raise ParameterInvalid("the tools are nested too deeply") from cause
    except OverflowError as cause:
        raise ParameterInvalid("a number in the tools is too large") from cause
    return tuple(tools)
