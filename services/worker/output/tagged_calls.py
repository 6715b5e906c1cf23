"""The body of `<tool_call>`: JSON, or a function with its parameters in tags of one kind or the other. Pure.

    {"name": "f", "arguments": {"a": 1}}                            Hermes, Qwen 2.5 and 3, Granite, Laguna
    <function=f> <parameter=a> 1 </parameter> </function>           Qwen3-Coder, Qwen3.5, Nemotron 3
    f <arg_key>a</arg_key> <arg_value>1</arg_value>                 GLM, Laguna

Models whose templates look alike mix them up, so all are read wherever one is expected.
"""

import re
from typing import Final

from services.worker.output.json_calls import read_json_calls
from services.worker.output.parameters import ParameterTags
from services.worker.output.tools import Tools, Unreadable
from shared.generation import ToolCall

FUNCTION: Final = "<function="
FUNCTION_END: Final = "</function>"
_PARAMETER: Final = ParameterTags("<parameter=", ">", "</parameter>")
_PAIR: Final = ParameterTags("<arg_key>", "<arg_value>", "</arg_value>")
_KEY_END: Final = re.compile(r"</arg_key>\s*<arg_value>")
_BARE_NAME: Final = re.compile(r"[^\s<>{}\[\]\"',:;()]+")


def read_tagged_calls(body: str, tools: Tools) -> list[ToolCall]:
    """Raises: msgspec.DecodeError, Unreadable, RecursionError."""
    text = body.strip()
    if text.startswith(("{", "[")):
        return read_json_calls(text, tools)
    if not text.startswith(FUNCTION):
        return [_pairs(text, tools)]
    *functions, after = text.removeprefix(FUNCTION).split(FUNCTION_END)
    if not functions or after.strip():
        raise Unreadable("the function is not closed")
    return [_function(function.strip().removeprefix(FUNCTION), tools) for function in functions]


def read_function(body: str, tools: Tools) -> list[ToolCall]:
    """What follows `<function=`, for models that leave out the tag around it. Raises: Unreadable."""
    return [_function(body, tools)]


def _function(text: str, tools: Tools) -> ToolCall:
    name, closed, parameters = text.partition(">")
    name = name.strip().strip("\"'")
    if not closed or not name:
        raise Unreadable("the function has no name")
    return ToolCall(name, _PARAMETER.arguments(name, parameters, tools))


def _pairs(text: str, tools: Tools) -> ToolCall:
    name, opening, pairs = text.partition(_PAIR.opening)
    name = name.strip()
    if not _BARE_NAME.fullmatch(name) or (not opening and name not in tools.names):
        raise Unreadable("neither JSON nor a function")
    return ToolCall(name, _PAIR.arguments(name, _KEY_END.sub(_PAIR.name_end, opening + pairs), tools))
