"""A client's JSON as text for the workers, its members in the client's order. Pure."""

import json
from collections.abc import Mapping

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
