"""What a Jinja template sees of a conversation: the names and shapes Hugging Face's templates expect."""

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from services.worker.chat_template.tool_calls import arguments_of, with_call_ids
from shared.generation import Message, Think, ToolCall

_WANTS_SHORT_IDS: Final = ("length != 9", "length 9")
"""How Mistral's templates say that they refuse any other id of a call."""


class Habits(NamedTuple):
    """What a template takes for granted of its messages, where templates differ.

    `parts`: a content is a list of parts. `null_beside_calls`: the content is null where there is none beside calls.
    `short_ids`: the id of a call has a fixed length.
    """

    parts: bool = False
    null_beside_calls: bool = False
    short_ids: bool = False


class ToolArguments(dict[str, object]):
    """A call's arguments. Most templates read them as a mapping; some print them, or join them to text, as JSON."""

    def __str__(self) -> str:
        return json.dumps(self, ensure_ascii=False)

    def __add__(self, right: str) -> str:
        return str(self) + right

    def __radd__(self, left: str) -> str:
        return left + str(self)


def wants_short_ids(source: str) -> bool:
    return any(mark in source for mark in _WANTS_SHORT_IDS)


def message_values(messages: Sequence[Message], habits: Habits) -> list[dict[str, object]]:
    """The messages for a template with these habits.

    Raises: ParameterInvalid for arguments of a call that are no JSON object.
    """
    return [_message(message, habits) for message in with_call_ids(messages, are_short=habits.short_ids)]


def thinking_variables(think: Think) -> dict[str, object]:
    """The names by which families of templates ask whether, and how hard, to think; none when that is left open."""
    if think is None:
        return {}
    is_on = think is not False
    effort = {"reasoning_effort": think} if isinstance(think, str) else {}
    return {"enable_thinking": is_on, "thinking": is_on, **effort}


def _message(message: Message, habits: Habits) -> dict[str, object]:
    value: dict[str, object] = {"role": message.role, "content": _content(message, habits)}
    if message.thinking:
        value["reasoning_content"] = message.thinking
        # The template of gpt-oss refuses a call with both: there, what was said beside a call is a thought.
        if not (message.tool_calls and message.content):
            value["thinking"] = message.thinking
    if message.tool_calls:
        value["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.role == "tool":
        value["name"] = message.tool_name
        value["tool_call_id"] = message.tool_call_id
    return value


def _content(message: Message, habits: Habits) -> object:
    if habits.null_beside_calls and message.tool_calls and not message.content:
        return None
    return [{"type": "text", "text": message.content}] if habits.parts else message.content


def _call(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": ToolArguments(arguments_of(call))}
    return {"id": call.call_id, "type": "function", "function": function}
