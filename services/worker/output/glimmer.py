"""The messages of Glimmer: thoughts to itself, calls in XML to the tool that they call. Pure.

     to=self<|message|>Thinking.<|eom|>
    <|start|>assistant to=f<|message|><atem:function_calls><atem:invoke name="f">
    <atem:parameter name="a">1</atem:parameter></atem:invoke></atem:function_calls><|eom|>
    <|start|>assistant to=user<|message|>An answer.<|eot|>

Source: Ollama `model/parsers/glimmer.go`.
"""

import re
from typing import Final

from services.worker.output.messages import Kind, MessageFormat
from services.worker.output.parameters import ParameterTags
from services.worker.output.tools import Tools, Unreadable
from shared.generation import ToolCall

_RECIPIENT: Final = re.compile(r"\bto=([^\s<]+)")
_CALLS: Final = re.compile(r"\s*<atem:function_calls>(.*)</atem:function_calls>\s*", re.DOTALL)
_INVOKE: Final = '<atem:invoke name="'
_INVOKE_END: Final = "</atem:invoke>"
_NAME_END: Final = '">'
_PARAMETER: Final = ParameterTags('<atem:parameter name="', _NAME_END, "</atem:parameter>")


def _kind_of(header: str, tools: Tools) -> Kind:
    recipient = _RECIPIENT.search(header)
    if recipient is None:
        return Kind.TEXT
    if recipient[1] == "self":
        return Kind.THOUGHT
    return Kind.CALL if _declared(recipient[1], tools) in tools.names else Kind.TEXT


def _declared(name: str, tools: Tools) -> str:
    """A tool may be addressed with a namespace in front, which is the first part of its own name."""
    space, _, rest = name.partition(".")
    return rest if name not in tools.names and space == rest.partition(".")[0] else name


def _read(_header: str, body: str, tools: Tools) -> list[ToolCall]:
    """Raises: Unreadable."""
    wrapped = _CALLS.fullmatch(body)
    between, *invocations = wrapped[1].split(_INVOKE) if wrapped is not None else ("",)
    if not invocations or between.strip():
        raise Unreadable("no function is invoked")
    return [_call(invocation, tools) for invocation in invocations]


def _call(text: str, tools: Tools) -> ToolCall:
    inner, end, after = text.rpartition(_INVOKE_END)
    name, closed, parameters = inner.partition(_NAME_END)
    name = _declared(name, tools)
    if not end or after.strip() or not closed or name not in tools.names:
        raise Unreadable("the invocation names no tool, or is not closed")
    return ToolCall(name, _PARAMETER.arguments(name, parameters, tools))


_BODY_ENDS: Final = ("<|eom|>", "<|eot|>", "<|start|>")

MESSAGES: Final = MessageFormat(
    marks=("<|message|>", *_BODY_ENDS),
    header_starts=("<|start|>", " to="),
    body_ends=_BODY_ENDS,
    kind_of=_kind_of,
    read=_read,
)
