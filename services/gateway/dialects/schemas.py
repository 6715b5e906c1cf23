"""A client's JSON schema as text for the workers, with the order of its properties. Pure."""

import json
from collections.abc import Mapping

from shared.errors import ParameterInvalid


def json_schema_text(schema: Mapping[str, object]) -> str:
    """Raises: ParameterInvalid for a schema nested so deeply that nobody could follow it."""
    try:
        return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    except RecursionError as cause:
        raise ParameterInvalid("the JSON schema is nested too deeply") from cause
