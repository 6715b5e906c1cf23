"""How Ollama executes a model's Go template for a conversation: which data it sees, and how often it runs.

A template that mentions `.Messages` runs once over all of them. Any other is of the older kind and runs once per
turn with `.System`, `.Prompt` and `.Response`; its last run ends where the model's response would stand.
Source: Ollama `template/template.go`.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.worker.chat_template import go_ast as ast
from services.worker.chat_template import go_functions
from services.worker.chat_template.budget import Budget, check_source
from services.worker.chat_template.go_evaluator import execute
from services.worker.chat_template.go_parser import parse
from services.worker.chat_template.go_values import Struct
from shared.generation import Message

DEFAULT_TEMPLATE: Final = "{{ .Prompt }}"
PARSED_MAX: Final = 64
_NO_THINKING: Final[dict[str, object]] = {"Think": False, "ThinkLevel": "", "IsThinkSet": False}


@dataclass(frozen=True, slots=True)
class _Parsed:
    template: ast.Template
    until_response: ast.Template
    uses_messages: bool


@dataclass(slots=True)
class _Turn:
    """What one run of an older template shows; emptied by each run."""

    system: str = ""
    prompt: str = ""
    response: str = ""

    def data(self) -> dict[str, object]:
        return {"System": self.system, "Prompt": self.prompt, "Response": self.response, **_NO_THINKING}


def render_ollama_template(source: str, messages: Sequence[Message]) -> str:
    """The conversation as text, up to where the model's answer begins.

    Raises: ParameterInvalid for a template that cannot be parsed, fails or does too much.
    """
    parsed = _parsed(source)
    merged = merged_messages(messages)
    budget = Budget()
    if parsed.uses_messages:
        return execute(parsed.template, _conversation(messages, merged), budget)
    return _per_turn(parsed, merged, budget)


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
    check_source(source)
    template = parse(source, go_functions.NAMES)
    names = {name.lower() for name in ast.field_names(template)}
    if not names & {"messages", "response"}:
        response = ast.Pipeline(((ast.Fields(ast.Dot(), ("Response",)),),))
        template = ast.Template((*template.nodes, ast.Output(response, line=1)), template.definitions)
    until_response, _ = _cut_after_response(template.nodes)
    return _Parsed(template, ast.Template(until_response, template.definitions), "messages" in names)


def _conversation(messages: Sequence[Message], merged: Sequence[Message]) -> dict[str, object]:
    return {
        "System": "\n\n".join(message.content for message in messages if message.role == "system"),
        "Messages": [_message_struct(message) for message in merged],
        "Tools": [],
        "Response": "",
        **_NO_THINKING,
    }


def _message_struct(message: Message) -> Struct:
    fields: dict[str, object] = {
        "Role": message.role,
        "Content": message.content,
        "Thinking": "",
        "Images": [],
        "ToolCalls": [],
        "ToolName": "",
        "ToolCallID": "",
    }
    return Struct("Message", fields, {"role": message.role, "content": message.content})


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
            parts.append(execute(parsed.template, turn.data(), budget))
            turn = _Turn()
        match message.role:
            case "system":
                turn.system = message.content
            case "user":
                turn.prompt = message.content
            case "assistant":
                turn.response = message.content
    parts.append(execute(parsed.until_response, turn.data(), budget))
    return "".join(parts)


def _cut_after_response(nodes: ast.Nodes) -> tuple[ast.Nodes, bool]:
    """The nodes up to and including the first that prints `.Response`, and whether there was one."""
    kept: list[ast.Node] = []
    for node in nodes:
        match node:
            case ast.Output(pipeline=pipeline):
                found = ast.reads_field_of_dot(pipeline, "Response")
                kept.append(node)
            case ast.If() | ast.With() | ast.Range():
                body, found = _cut_after_response(node.body)
                otherwise, found = ((), True) if found else _cut_after_response(node.otherwise)
                kept.append(type(node)(ast.head(node), body, otherwise, node.line))
            case _:
                found = False
                kept.append(node)
        if found:
            return tuple(kept), True
    return tuple(kept), False
