"""Calls as the Gemma models write them: `call:NAME{key:value,…}`, strings between marks of their own. Pure.

Source: the chat templates of Gemma 4 and FunctionGemma.
"""

from typing import Final

from services.worker.output.literals import Literals
from services.worker.output.tools import Tools, Unreadable
from shared.generation import ToolCall

GEMMA4_STRING: Final = '<|"|>'
FUNCTIONGEMMA_STRING: Final = "<escape>"


def read_gemma4_calls(body: str, tools: Tools) -> list[ToolCall]:  # noqa: ARG001 — a Reader
    """Raises: Unreadable, RecursionError."""
    return [_call(body, GEMMA4_STRING)]


def read_functiongemma_calls(body: str, tools: Tools) -> list[ToolCall]:  # noqa: ARG001 — a Reader
    """Raises: Unreadable, RecursionError."""
    return [_call(body, FUNCTIONGEMMA_STRING)]


def _call(body: str, string_mark: str) -> ToolCall:
    text = Literals(body, string_mark=string_mark)
    text.expect("call:")
    call = ToolCall(text.word(), text.members("{", ":"))
    if not text.is_over:
        raise Unreadable("something follows the call")
    return call
