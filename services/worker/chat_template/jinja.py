"""Renders a model file's own Jinja chat template (`tokenizer.chat_template`) as Hugging Face's libraries would.

Sandboxed, and metered: loops, calls, filters and operators are charged to a budget (`metered_jinja.py`).
"""

import functools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from jinja2 import Template, TemplateError
from jinja2.ext import Extension
from jinja2.nodes import Node
from jinja2.parser import Parser

from services.worker.chat_template.jinja_values import (
    Habits,
    ToolArguments,
    message_values,
    thinking_variables,
    wants_short_ids,
)
from services.worker.chat_template.metered_jinja import MeteredEnvironment, charge_built, metered
from shared.errors import CorralError, ParameterInvalid, TemplateInvalid
from shared.generation import Message, Think
from shared.template_budget import Budget

COMPILED_MAX: Final = 32
JINJA_CHARS_MAX: Final = 64 * 1024
"""Twice the longest known; longer ones take seconds to compile."""
_DATE_PATTERN_CHARS_MAX: Final = 256
_PROBE: Final = "probe7c1"
"""A word that no template has of its own."""
_PROBE_IN_PARTS: Final = ({"type": "text", "text": _PROBE},)
_QUESTION: Final = {"role": "user", "content": "a"}

_TEMPLATE_FAULTS: Final = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What wrong code in a template can make Jinja and Python raise; never an error of ours."""


def render_jinja(
    source: str,
    messages: Sequence[Message],
    *,
    bos_token: str,
    eos_token: str,
    tools: Sequence[Mapping[str, object]] = (),
    think: Think = None,
) -> str:
    """The conversation as the model expects it, up to where its next answer begins. `tools` are as the API has them.

    Raises: ParameterInvalid with the template's own words when it refuses the conversation or is broken,
        TemplateFailed when it does too much, TemplateInvalid when it is too long.
    """
    special = {"bos_token": bos_token, "eos_token": eos_token}
    values = message_values(messages, _habits(source))
    return _rendered(source, {"messages": values, "tools": list(tools) or None, **special, **thinking_variables(think)})


@functools.lru_cache(maxsize=COMPILED_MAX)
def _habits(source: str) -> Habits:
    """Found by trying: what a template does not show when written as usual, it may show when written otherwise."""
    asked, asked_in_parts = ({"role": "user", "content": content} for content in (_PROBE, _PROBE_IN_PARTS))
    call = {"id": "0" * 9, "type": "function", "function": {"name": _PROBE, "arguments": ToolArguments()}}
    calling, only_calling = ({"role": "assistant", "content": content, "tool_calls": [call]} for content in ("", None))
    try:
        return Habits(
            parts=not _shows(source, asked) and _shows(source, asked_in_parts),
            null_beside_calls="tool_calls" in source
            and not _shows(source, _QUESTION, calling)
            and _shows(source, _QUESTION, only_calling),
            short_ids=wants_short_ids(source),
        )
    except CorralError:
        return Habits()  # what is wrong with it is said when the conversation is rendered


def _shows(source: str, *messages: Mapping[str, object]) -> bool:
    """Raises: TemplateFailed, TemplateInvalid."""
    try:
        return _PROBE in _rendered(source, {"messages": messages, "bos_token": "", "eos_token": "", "tools": None})
    except ParameterInvalid:
        return False


def _rendered(source: str, variables: Mapping[str, object]) -> str:
    template = _compiled(source)
    budget = Budget()
    pieces: list[str] = []
    try:
        with metered(budget):
            for piece in template.generate({"add_generation_prompt": True, "documents": None, **variables}):
                budget.output(len(piece))
                pieces.append(piece)
    except _TEMPLATE_FAULTS as cause:
        raise ParameterInvalid(f"the model's chat template failed: {cause}") from cause
    return "".join(pieces)


@functools.lru_cache(maxsize=COMPILED_MAX)
def _compiled(source: str) -> Template:
    if len(source) > JINJA_CHARS_MAX:
        raise TemplateInvalid(f"template: the template is longer than {JINJA_CHARS_MAX} characters")
    try:
        return _ENVIRONMENT.from_string(source)
    except _TEMPLATE_FAULTS as cause:
        raise ParameterInvalid(f"the model's chat template cannot be read: {cause}") from cause


class _GenerationBlock(Extension):
    """`{% generation %}` marks the assistant's words for training; for rendering it is its contents."""

    tags = {"generation"}  # noqa: RUF012 — the base class declares it as a plain attribute

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: object = "") -> NoReturn:
    raise TemplateError(str(message))


def _strftime_now(pattern: str) -> str:
    if len(pattern) > _DATE_PATTERN_CHARS_MAX:
        raise TemplateError("the pattern of a date is too long")
    return datetime.now(tz=UTC).astimezone().strftime(pattern)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON with readable characters and nothing escaped for HTML, unlike Jinja's own filter."""
    encoder = json.JSONEncoder(ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    pieces: list[str] = []
    for piece in encoder.iterencode(value):
        charge_built(len(piece))
        pieces.append(piece)
    return "".join(pieces)


def _environment() -> MeteredEnvironment:
    environment = MeteredEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _GenerationBlock]
    )
    environment.add_filter("tojson", _tojson)
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


_ENVIRONMENT: Final = _environment()
