"""Which output format a model writes: the one its config names, else the one that its template shows. Pure.

A model answers in the marks in which its template repeats earlier answers.
"""

from dataclasses import replace
from typing import Final

from services.worker.output.formats import (
    BARE_JSON,
    COHERE,
    DEEPSEEK,
    FUNCTIONGEMMA,
    GEMMA4,
    GLIMMER,
    GRANITE,
    HARMONY,
    HERMES,
    LFM2,
    LLAMA,
    MISTRAL,
    OLMO,
    PARSERS,
    PLAIN,
    SEED,
    THINKINGS,
    XML,
    Format,
    Thinking,
    tagged_with,
)
from shared.template_traits import go_thinking_tags, go_tool_tag, go_traits, jinja_traits

_MARKS: Final[tuple[tuple[tuple[str, ...], Format], ...]] = (
    (("<|channel|>", "<|message|>"), HARMONY),
    (("<atem:invoke",), GLIMMER),
    (("<|tool_call>",), GEMMA4),
    (("<start_function_call>",), FUNCTIONGEMMA),
    (("<｜tool▁call▁begin｜>",), DEEPSEEK),
    (("<|START_ACTION|>",), COHERE),
    (("[TOOL_CALLS]",), MISTRAL),
    (("<|tool_call_start|>",), LFM2),
    (("<function_calls>",), OLMO),
    (("<seed:tool_call>",), SEED),
    (("<|tool_call|>",), GRANITE),
    (("<function=",), XML),
    (("<arg_key>",), XML),
    (("<tool_call>",), HERMES),
    (("<|python_tag|>",), LLAMA),
)
"""The first whose marks are all in a template is its format."""


def format_of(parser: str, template: str, *, is_go: bool) -> Format:
    """The format of a model whose config names `parser`, or nothing, and whose prompts `template` writes."""
    if parser in PARSERS:
        return PARSERS[parser]
    shown = _shown_format(template, is_go=is_go)
    if shown.messages is not None:
        return shown
    return replace(shown, thinking=_shown_thinking(template, is_go=is_go))


def _shown_format(template: str, *, is_go: bool) -> Format:
    for marks, shown in _MARKS:
        if all(mark in template for mark in marks):
            return shown
    if is_go:
        return tagged_with(go_tool_tag(template)) if go_traits(template).tools else PLAIN
    return BARE_JSON if jinja_traits(template).tools else PLAIN


def _shown_thinking(template: str, *, is_go: bool) -> Thinking | None:
    known = next((thinking for thinking in THINKINGS if thinking.closing in template), None)
    if known is None and is_go and (tags := go_thinking_tags(template)) is not None:
        return Thinking(tags.opening, tags.closing, is_certain=False)
    return known
