"""The messages of gpt-oss: thoughts on a channel of their own, calls addressed to `functions.NAME`. Pure.

    <|channel|>analysis<|message|>Thinking.<|end|>
    <|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|>
    <|start|>assistant<|channel|>final<|message|>An answer.<|return|>

Source: OpenAI, "OpenAI harmony response format".
"""

import re
from typing import Final

from services.worker.output.json_text import object_text
from services.worker.output.messages import Kind, MessageFormat
from services.worker.output.tools import Tools
from shared.generation import ToolCall

_CHANNEL: Final = re.compile(r"<\|channel\|>\s*(\w+)")
_RECIPIENT: Final = re.compile(r"\bto=([^\s<]+)")
_FUNCTIONS: Final = "functions."


def _kind_of(header: str, tools: Tools) -> Kind:
    if tools and _RECIPIENT.search(header):
        return Kind.CALL
    channel = _CHANNEL.search(header)
    return Kind.THOUGHT if channel is not None and channel[1] == "analysis" else Kind.TEXT


def _read(header: str, body: str, tools: Tools) -> list[ToolCall]:
    """Raises: Unreadable, msgspec.DecodeError, RecursionError."""
    recipient = _RECIPIENT.search(header)
    assert recipient is not None
    return [ToolCall(tools.known(recipient[1].removeprefix(_FUNCTIONS)), object_text(body))]


_BODY_ENDS: Final = ("<|end|>", "<|call|>", "<|return|>", "<|start|>")

MESSAGES: Final = MessageFormat(
    marks=("<|channel|>", "<|constrain|>", "<|message|>", *_BODY_ENDS),
    header_starts=("<|channel|>", "<|start|>", " to="),
    body_ends=_BODY_ENDS,
    kind_of=_kind_of,
    read=_read,
)
