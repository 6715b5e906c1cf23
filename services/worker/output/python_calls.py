"""Calls as Python writes them: `[f(a='x', b=1), g()]`, or one on each line. Pure.

Source: the chat templates of LFM2 and OLMo 3.
"""

import re
from typing import Final

from services.worker.output.json_calls import read_json_calls
from services.worker.output.literals import Literals
from services.worker.output.tools import Tools, Unreadable
from shared.generation import ToolCall

_NAME: Final = re.compile(r"[A-Za-z_][\w.\-]*")
_JSON: Final = re.compile(r"\s*(\[\s*)?\{")


def read_python_calls(body: str, tools: Tools) -> list[ToolCall]:
    """Raises: Unreadable, msgspec.DecodeError, RecursionError."""
    if _JSON.match(body):
        return read_json_calls(body, tools)
    text = Literals(body)
    in_list = text.skips("[")
    calls: list[ToolCall] = []
    while not text.is_over and not (in_list and text.skips("]")):
        name = text.word(_NAME)
        calls.append(ToolCall(name, text.members("(", "=")))
        text.skips(",")
    if not text.is_over or not calls:
        raise Unreadable("no list of calls")
    return calls
