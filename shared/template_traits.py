"""What a chat template can do, and the tags around the thoughts it shows. Pure.

Two languages: a model's TEMPLATE (Go, by its syntax tree) and the `tokenizer.chat_template` of its file (Jinja, by
its text). Both are Ollama's heuristics, because clients rely on what it finds.
Source: Ollama `server/images.go`, `thinking/template.go`, `tools/template.go`.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import msgspec

from shared.errors import TemplateInvalid
from shared.go_template import Template, parse_template
from shared.go_template.ast import Call, Fields, If, Nodes, Output, Pipeline, Range, Text, With
from shared.go_template.walking import bodies, dot_fields, field_names, operands

TRAITS_KEPT: Final = 256
"""How many templates' traits are remembered; a cluster's models share a few dozen."""

_GO_TOOL_RESULTS: Final = ('eq .Role "tool"', "tool_response", "TOOL_RESULTS")
_JINJA_TOOL_RESULTS: Final = (
    "tool_response",
    "tool_results",
    *(f"role{close}] == {quote}tool{quote}" for close in "'\"" for quote in "'\""),
    *(f"message.role == {quote}tool{quote}" for quote in "'\""),
    "ipython",
)
_JINJA_SPLITS: Final = ("content.split('</think>')", 'content.split("</think>")')
_NEMOTRON_MARK: Final = "<SPECIAL_12>"


class TemplateTraits(msgspec.Struct, frozen=True, kw_only=True):
    """`tool_results`: it also shows the model its earlier calls and what came of them."""

    tools: bool = False
    insert: bool = False
    thinking: bool = False
    tool_results: bool = False


class ThinkingTags(msgspec.Struct, frozen=True):
    opening: str
    closing: str


@lru_cache(maxsize=TRAITS_KEPT)
def go_traits(source: str) -> TemplateTraits:
    """The traits of a TEMPLATE; a broken one has none."""
    try:
        template = parse_template(source)
    except TemplateInvalid:
        return TemplateTraits()
    names = identifiers(template)
    return TemplateTraits(
        tools="tools" in names,
        insert="suffix" in names,
        thinking=thinking_tags(template) is not None,
        tool_results={"tools", "toolcalls"} <= names and any(mark in source for mark in _GO_TOOL_RESULTS),
    )


@lru_cache(maxsize=TRAITS_KEPT)
def jinja_traits(source: str) -> TemplateTraits:
    """The traits of a model file's own template."""
    has_tools = "tools" in source or "tool_call" in source
    calls = "tool_calls" in source or "assistant_tool_call" in source
    return TemplateTraits(
        tools=has_tools,
        thinking=("<think>" in source and "</think>" in source) or _splits_thoughts_off(source),
        tool_results=has_tools and calls and any(mark in source for mark in _JINJA_TOOL_RESULTS),
    )


def identifiers(template: Template) -> frozenset[str]:
    """The fields a template mentions anywhere, in lower case: `messages`, `tools`, `suffix`, `response` …"""
    return frozenset(name.lower() for name in field_names(template))


def thinking_tags(template: Template) -> ThinkingTags | None:
    """The texts before and after the thoughts of earlier messages; None when the template shows none.

    They are the first and the last node around `{{ .Thinking }}` inside a range over `.Messages`.
    """
    opening = closing = ""
    for nodes in _lists_with_thoughts(template.nodes, in_messages=False):
        if isinstance(nodes[0], Text):
            opening = nodes[0].text.strip()
        if isinstance(nodes[-1], Text):
            closing = nodes[-1].text.strip()
    return ThinkingTags(opening, closing) if opening and closing else None


@lru_cache(maxsize=TRAITS_KEPT)
def go_thinking_tags(source: str) -> ThinkingTags | None:
    """The `thinking_tags` of a TEMPLATE; a broken one has none."""
    try:
        return thinking_tags(parse_template(source))
    except TemplateInvalid:
        return None


@lru_cache(maxsize=TRAITS_KEPT)
def go_tool_tag(source: str) -> str:
    """What a TEMPLATE writes before the calls of earlier messages; `{` if that is nothing.

    It is the first text inside the first `if` about `.ToolCalls`, up to the JSON.
    """
    try:
        calls = _nodes_for_calls(parse_template(source).nodes)
    except TemplateInvalid:
        calls = ()
    text = _first_text(calls) or ""
    return text.partition("{")[0].strip() or "{"


def _nodes_for_calls(nodes: Nodes) -> Nodes:
    """The body of the first `if` that asks for `.ToolCalls`; empty without one."""
    for node in nodes:
        if isinstance(node, If):
            for branch in node.branches:
                if _asks_for_calls(branch.condition):
                    return branch.body
        for body in bodies(node):
            if found := _nodes_for_calls(body):
                return found
    return ()


def _asks_for_calls(condition: Pipeline) -> bool:
    return any(isinstance(operand, Fields) and "ToolCalls" in operand.names for operand in operands(condition))


def _first_text(nodes: Nodes) -> str | None:
    """The first text that is no whitespace; None if a value is printed or a block ends before it."""
    for node in nodes:
        match node:
            case Text(text=text):
                if text.strip():
                    return text
            case If() | Range() | With():
                return next((found for body in bodies(node) if (found := _first_text(body)) is not None), None)
            case _:
                return None
    return None


def _splits_thoughts_off(source: str) -> bool:
    """Whether a Jinja template cuts the thoughts out of earlier answers, which then had some."""
    return (
        any(split in source for split in _JINJA_SPLITS)
        and "reasoning_content" not in source
        and _NEMOTRON_MARK not in source
    )


def _lists_with_thoughts(nodes: Nodes, *, in_messages: bool) -> Iterator[Nodes]:
    """The lists of nodes that print `.Thinking` right inside a range over `.Messages`, once for each time they do."""
    for node in nodes:
        match node:
            case Output(pipeline=pipeline) | Call(argument=pipeline) if pipeline is not None and in_messages:
                yield from (nodes for names in dot_fields(pipeline) if names[0] == "Thinking")
            case Range(items=items):
                over_messages = any(names[0] == "Messages" for names in dot_fields(items))
                for body in bodies(node):
                    yield from _lists_with_thoughts(body, in_messages=over_messages)
            case _:
                for body in bodies(node):
                    yield from _lists_with_thoughts(body, in_messages=in_messages)
