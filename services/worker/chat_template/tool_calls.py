"""The calls of tools in a conversation, as templates want them: whole, whatever the client left out. Pure."""

import json
from collections.abc import Sequence
from typing import Final

import msgspec

from shared.errors import ParameterInvalid
from shared.generation import Message, ToolCall

SHORT_ID_CHARS: Final = 9
"""The length of a call's id that Mistral's templates insist on."""


def arguments_of(call: ToolCall) -> dict[str, object]:
    """The arguments by name, in the order they were written.

    Raises: ParameterInvalid for a text that is no JSON object, or nested too deeply.
    """
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as cause:
        raise ParameterInvalid(f"the arguments of a call of {call.name} are not JSON") from cause
    if not isinstance(arguments, dict):
        raise ParameterInvalid(f"the arguments of a call of {call.name} are not a JSON object")
    return arguments


def with_result_names(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages, a tool's result without the tool's name having that of the call it answers."""
    names: dict[str, str] = {}
    named: list[Message] = []
    for message in messages:
        names.update({call.call_id: call.name for call in message.tool_calls if call.call_id})
        if message.role == "tool" and not message.tool_name and message.tool_call_id in names:
            message = msgspec.structs.replace(message, tool_name=names[message.tool_call_id])
        named.append(message)
    return tuple(named)


def with_call_ids(messages: Sequence[Message], *, are_short: bool) -> tuple[Message, ...]:
    """The messages, every call having an id and every result the id of its call.

    Ollama's clients need not write any: a result then answers the first call of its tool that has no result yet.
    With `are_short` the ids are numbers of `SHORT_ID_CHARS` digits, whatever the client wrote.
    """
    unanswered: list[ToolCall] = []
    new_ids: dict[str, str] = {}
    calls_count = 0
    done: list[Message] = []
    for message in messages:
        calls: list[ToolCall] = []
        for call in message.tool_calls:
            number = f"{calls_count:0{SHORT_ID_CHARS}d}"
            calls_count += 1
            new_id = number if are_short or not call.call_id else call.call_id
            if call.call_id:
                new_ids[call.call_id] = new_id
            calls.append(msgspec.structs.replace(call, call_id=new_id))
        unanswered += calls
        if message.role == "tool":
            answered_id = new_ids.get(message.tool_call_id, message.tool_call_id) or _first(unanswered, message)
            unanswered = [call for call in unanswered if call.call_id != answered_id]
            message = msgspec.structs.replace(message, tool_call_id=answered_id)
        done.append(msgspec.structs.replace(message, tool_calls=tuple(calls)))
    return tuple(done)


def _first(unanswered: Sequence[ToolCall], result: Message) -> str:
    """The id of the first call that `result` may answer; empty when there is none."""
    fitting = (call.call_id for call in unanswered if result.tool_name in ("", call.name))
    return next(fitting, "")
