"""How Ollama executes a model's Go template for a conversation: which data it sees, and how often it runs.

A template that mentions `.Messages` runs once over all of them. Any other is of the older kind and runs once per
turn with `.System`, `.Prompt` and `.Response`; its last run ends where the model's response would stand.
Source: Ollama `template/template.go`.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from services.worker.chat_template.ollama_values import message_value, thinking_values, tools_value
from shared.errors import TemplateFailed, TemplateInvalid
from shared.generation import InsertPrompt, Message, Think
from shared.go_template import Template, ast, parse_template, render, walking
from shared.template_budget import Budget
from shared.template_traits import identifiers

DEFAULT_TEMPLATE: Final = "{{ .Prompt }}"
PARSED_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class _Parsed:
    template: Template
    until_response: Template
    uses_messages: bool


@dataclass(slots=True)
class _Turn:
    """What one run of an older template shows; emptied by each run."""

    system: str = ""
    prompt: str = ""
    response: str = ""

    def data(self) -> dict[str, object]:
        return {"System": self.system, "Prompt": self.prompt, "Response": self.response}


def render_ollama_template(
    source: str, messages: Sequence[Message], tools: Sequence[Mapping[str, object]] = (), think: Think = None
) -> str:
    """The conversation as text, up to where the model's answer begins. `tools` are as the API writes them.

    Raises: TemplateFailed for a template that cannot be parsed, fails or does too much, ParameterInvalid for
        arguments of a call that are no JSON object.
    """
    parsed = _parsed(source)
    merged = merged_messages(messages)
    budget = Budget()
    if parsed.uses_messages:
        data = {
            "System": "\n\n".join(message.content for message in messages if message.role == "system"),
            "Messages": [message_value(message) for message in merged],
            "Tools": tools_value(tools),
            "Response": "",
            **thinking_values(think),
        }
        return render(parsed.template, data, budget)
    return _per_turn(parsed, merged, thinking_values(think), budget)


def render_ollama_insert(source: str, prompt: InsertPrompt) -> str:
    """The text for a gap, up to where the model fills it.

    Raises: TemplateFailed for a template that cannot be parsed, fails or does too much.
    """
    data = {"Prompt": prompt.before, "Suffix": prompt.after, "Response": "", **thinking_values(prompt.think)}
    return render(_parsed(source).until_response, data, Budget())


def merged_messages(messages: Sequence[Message]) -> list[Message]:
    """Neighbours of one role become one message with a blank line between; a tool's results stay apart.

    Ollama forgets the thoughts and calls of all but the first; here they are kept.
    """
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role != "tool":
            merged[-1] = _merged(merged[-1], message)
        else:
            merged.append(message)
    return merged


def _merged(first: Message, second: Message) -> Message:
    return msgspec.structs.replace(
        first,
        content="\n\n".join(text for text in (first.content, second.content) if text),
        thinking="\n\n".join(text for text in (first.thinking, second.thinking) if text),
        tool_calls=(*first.tool_calls, *second.tool_calls),
        images=(*first.images, *second.images),
    )


@functools.lru_cache(maxsize=PARSED_MAX)
def _parsed(source: str) -> _Parsed:
    """Raises: TemplateFailed, since a prompt was wanted: Ollama answers 500 to a request's broken template too."""
    try:
        template = parse_template(source)
    except TemplateInvalid as cause:
        raise TemplateFailed(cause.message) from cause
    names = identifiers(template)
    if names.isdisjoint({"messages", "response"}):
        response = ast.Pipeline((ast.Command((ast.Fields(ast.Dot(), ("Response",)),)),))
        template = replace(template, nodes=(*template.nodes, ast.Output(response)))
    until_response, _ = _cut_after_response(template.nodes)
    return _Parsed(template, replace(template, nodes=until_response), "messages" in names)


def _per_turn(parsed: _Parsed, messages: Sequence[Message], thinking: Mapping[str, object], budget: Budget) -> str:
    """Run the template before each message that begins a new turn, and once, cut short, for the last turn.

    Roles the older templates have no word for are left out.
    """
    turn = _Turn()
    parts: list[str] = []
    for message in messages:
        begins_turn = (message.role == "system" and (turn.prompt or turn.response)) or (
            message.role == "user" and turn.response
        )
        if begins_turn:
            parts.append(render(parsed.template, {**turn.data(), **thinking}, budget))
            turn = _Turn()
        match message.role:
            case "system":
                turn.system = message.content
            case "user":
                turn.prompt = message.content
            case "assistant":
                turn.response = message.content
    parts.append(render(parsed.until_response, {**turn.data(), **thinking}, budget))
    return "".join(parts)


def _cut_after_response(nodes: ast.Nodes) -> tuple[ast.Nodes, bool]:
    """The nodes up to and including the first that prints `.Response`, and whether there was one."""
    kept: list[ast.Node] = []
    for node in nodes:
        cut, found = _cut_node(node)
        kept.append(cut)
        if found:
            return tuple(kept), True
    return tuple(kept), False


def _cut_node(node: ast.Node) -> tuple[ast.Node, bool]:
    match node:
        case ast.Output(pipeline=pipeline):
            return node, any("Response" in names for names in walking.dot_fields(pipeline))
        case ast.If(branches=branches, otherwise=otherwise) | ast.With(branches=branches, otherwise=otherwise):
            kept: list[ast.Branch] = []
            for branch in branches:
                body, found = _cut_after_response(branch.body)
                kept.append(ast.Branch(branch.condition, body))
                if found:
                    return type(node)(tuple(kept)), True
            rest, found = _cut_after_response(otherwise)
            return type(node)(tuple(kept), rest), found
        case ast.Range(items=items, body=nodes, otherwise=otherwise):
            body, found = _cut_after_response(nodes)
            rest, found_in_rest = ((), False) if found else _cut_after_response(otherwise)
            return ast.Range(items, body, rest), found or found_in_rest
    return node, False
