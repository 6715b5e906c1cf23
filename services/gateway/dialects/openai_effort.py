"""How hard a model is to think, in OpenAI's words. Pure.

Source: OpenAI's API reference; Ollama `openai/openai.go`.
"""

from typing import Final

from shared.errors import ParameterInvalid
from shared.generation import Think

_THINK_OF_EFFORT: Final[dict[str, Think]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "ultra": "max",
    "max": "max",
    "none": False,
}


def think_of_effort(effort: str) -> Think:
    """No effort at all is thinking as the model likes.

    Raises: ParameterInvalid for an effort that does not exist.
    """
    if not effort:
        return None
    if effort not in _THINK_OF_EFFORT:
        *most, last = [f'"{name}"' for name in _THINK_OF_EFFORT]
        raise ParameterInvalid(f'invalid reasoning value: "{effort}" (must be {", ".join(most)}, or {last})')
    return _THINK_OF_EFFORT[effort]
