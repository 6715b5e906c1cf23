"""How much Anthropic's requests want a model to think, and whether the thoughts are to be told. Pure.

`thinking` and `output_config.effort` are read as Ollama reads them: a model that can think does so unless it is told
`disabled`, and `adaptive` leaves it to the model. An effort says how hard, to models that know degrees. A model that
cannot think just answers, whatever was asked: in Anthropic's API a reply may always come without thoughts, and
programs ask for them of every model.

`thinking.budget_tokens` is checked and bounds nothing: thoughts count towards `max_tokens` like the rest of a message.
Thoughts are told as they are, so the `display` `summarized` is all of them; `omitted` tells that there were some.
Source: Anthropic's Messages API reference (extended thinking, effort); Ollama `anthropic/anthropic.go`.
"""

from typing import Final

import msgspec

from shared.errors import ParameterInvalid
from shared.generation import Think
from shared.go_json import GoFields

BUDGET_TOKENS_MIN: Final = 1024
_TYPES: Final = ("enabled", "disabled", "adaptive")
_DISPLAYS: Final = ("summarized", "omitted")
_LEVEL_OF_EFFORT: Final = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "max"}


class ThinkingWish(msgspec.Struct, frozen=True):
    think: Think
    is_shown: bool


def thinking_wish(fields: GoFields, output: GoFields) -> ThinkingWish:
    """What a request says in `thinking` and in its `output`, the object `output_config`.

    Raises: ParameterInvalid.
    """
    effort = output.text("effort").strip().lower()
    if effort and effort not in _LEVEL_OF_EFFORT:
        raise ParameterInvalid(f"output_config.effort must be one of {', '.join(_LEVEL_OF_EFFORT)}")
    level = _LEVEL_OF_EFFORT.get(effort)
    given = fields.mapping("thinking", "anthropic.ThinkingConfig")
    if given is None:
        return ThinkingWish(level, is_shown=True)
    thinking = GoFields("ThinkingConfig", given)
    kind, display = thinking.text("type"), thinking.text("display")
    if kind not in _TYPES:
        raise ParameterInvalid(f"thinking.type must be one of {', '.join(_TYPES)}")
    if display and display not in _DISPLAYS:
        raise ParameterInvalid(f"thinking.display must be one of {', '.join(_DISPLAYS)}")
    budget_tokens = thinking.integer("budget_tokens")
    if budget_tokens is not None and budget_tokens < BUDGET_TOKENS_MIN:
        raise ParameterInvalid(f"thinking.budget_tokens must be at least {BUDGET_TOKENS_MIN}")
    think: Think = {"disabled": False, "enabled": level or True}.get(kind, level)
    return ThinkingWish(think, is_shown=display != "omitted")
