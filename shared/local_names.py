"""Names as clients write them where a model may also be elsewhere: `:local` means here, `:cloud` Ollama's cloud. Pure.

There is no cloud here, as on an Ollama server where it is switched off.
Source: Ollama `internal/modelref/modelref.go`, `server/routes.go`, `internal/cloud/policy.go`.
"""

from typing import Final

import msgspec

from shared.errors import Forbidden, ParameterInvalid
from shared.model_name import ModelName, parse_model_name

CLOUD_INFERENCE: Final = "remote model is unavailable"
CLOUD_DETAILS: Final = "remote model details are unavailable"


def cloud_disabled(operation: str) -> Forbidden:
    return Forbidden(f"ollama cloud is disabled: {operation}")


def parse_local_name(text: str, *, operation: str = CLOUD_INFERENCE) -> ModelName:
    """Read a name whose tag may end in a place, which is no part of it.

    Raises: ModelNameInvalid, ParameterInvalid for two places at once, Forbidden for a model in the cloud, saying what
        cannot be done with it.
    """
    base, place = _placed(text.strip())
    if place and _placed(base)[1]:
        quoted = msgspec.json.encode(text.strip()).decode()
        raise ParameterInvalid(f"use either :local or :cloud, not both: {quoted}")
    name = parse_model_name(base)
    if place == "cloud":
        raise cloud_disabled(operation)
    return name


def _placed(text: str) -> tuple[str, str]:
    """The name without its place, and the place; empty for none."""
    base, _, tag = text.rpartition(":")
    place = tag.lower()
    if base and place in ("cloud", "local"):
        return base, place
    if base and place.endswith("-cloud") and "/" not in tag:
        return text[: -len("-cloud")], "cloud"
    return text, ""
