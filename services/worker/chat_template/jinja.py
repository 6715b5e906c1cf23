"""Renders a model file's own Jinja chat template (`tokenizer.chat_template`) as Hugging Face's libraries would.

Sandboxed, and metered: loops, calls, filters and operators are charged to a budget (`metered_jinja.py`).
"""

import functools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from jinja2 import Template, TemplateError
from jinja2.ext import Extension
from jinja2.nodes import Node
from jinja2.parser import Parser

from services.worker.chat_template.metered_jinja import MeteredEnvironment, charge_built, metered
from shared.errors import ParameterInvalid, TemplateInvalid
from shared.generation import Message
from shared.template_budget import Budget

COMPILED_MAX: Final = 32
JINJA_CHARS_MAX: Final = 64 * 1024
"""Twice the longest known; longer ones take seconds to compile."""
_DATE_PATTERN_CHARS_MAX: Final = 256

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


def render_jinja(source: str, messages: Sequence[Message], *, bos_token: str, eos_token: str) -> str:
    """The conversation as the model expects it, up to where its next answer begins.

    Raises: ParameterInvalid with the template's own words when it refuses the conversation or is broken,
        TemplateFailed when it does too much, TemplateInvalid when it is too long.
    """
    template = _compiled(source)
    budget = Budget()
    variables = {
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "add_generation_prompt": True,
        "bos_token": bos_token,
        "eos_token": eos_token,
        "tools": None,
        "documents": None,
    }
    pieces: list[str] = []
    try:
        with metered(budget):
            for piece in template.generate(variables):
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
