"""How Ollama executes a model's Go template for a conversation: which data it sees, and how often it runs.

A template that mentions `.Messages` runs once over all of them. Any other is of the older kind and runs once per
turn with `.System`, `.Prompt` and `.Response`; its last run ends where the model's response would stand.
Source: Ollama `template/template.go`.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.worker.chat_template.ollama_values import message_value, tools_value
from shared.errors import TemplateFailed, TemplateInvalid
from shared.generation import Message
from shared.go_template import Template, ast, parse_template, render, walking
from shared.template_budget import Budget
from shared.template_traits import identifiers

DEFAULT_TEMPLATE: Final = "{{ .Prompt }}"
PARSED_MAX: Final = 64
_NO_THINKING: Final[dict[str, object]] = {"Think": False, "ThinkLevel": "", "IsThinkSet": False}


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
        return {"System": self.system, "Prompt": self.prompt, "Response": self.response, **_NO_THINKING}


def render_ollama_template(source: str, messages: Sequence[Message], tools: Sequence[Mapping[str, object]] = ()) -> str:
    """The conversation as text, up to where the model's answer begins. `tools` are as the API writes them.

    Raises: TemplateFailed for a template that cannot be parsed, fails or does too much.
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
            **_NO_THINKING,
        }
        return render(parsed.template, data, budget)
    return _per_turn(parsed, merged, budget)


def render_ollama_insert(source: str, before: str, after: str) -> str:
    """The text for a gap between `before` and `after`, up to where the model fills it.

    Raises: TemplateFailed for a template that cannot be parsed, fails or does too much.
    """
    data = {"Prompt": before, "Suffix": after, "Response": "", **_NO_THINKING}
    return render(_parsed(source).until_response, data, Budget())


def merged_messages(messages: Sequence[Message]) -> list[Message]:
    """Neighbours of one role become one message with a blank line between; a tool's results stay apart."""
    runs: list[tuple[str, list[str]]] = []
    for message in messages:
        if runs and runs[-1][0] == message.role != "tool":
            runs[-1][1].append(message.content)
        else:
            runs.append((message.role, [message.content]))
    return [Message(role=role, content="\n\n".join(contents)) for role, contents in runs]


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


def _per_turn(parsed: _Parsed, messages: Sequence[Message], budget: Budget) -> str:
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
            parts.append(render(parsed.template, turn.data(), budget))
            turn = _Turn()
        match message.role:
            case "system":
                turn.system = message.content
            case "user":
                turn.prompt = message.content
            case "assistant":
                turn.response = message.content
    parts.append(render(parsed.until_response, turn.data(), budget))
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
