"""What a chat of any dialect asks of a model: said once, in the words of none of them."""

from typing import Final

import msgspec

from shared.errors import ParameterInvalid
from shared.generation import Message, Think

MESSAGES_MAX: Final = 10_000
"""More than fits any context. A request is read on the event loop, where nothing else happens meanwhile."""


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The fields are those of `shared.generation.ChatPrompt`; the model's own messages are not among `messages` yet."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, object], ...] = ()
    forced_tools: tuple[str, ...] = ()
    one_tool_call: bool = False
    think: Think = None


def check_messages_count(count: int) -> None:
    """For the messages, or whatever else a dialect builds them from, before they are read.

    Raises: ParameterInvalid.
    """
    if count > MESSAGES_MAX:
        raise ParameterInvalid(f"this conversation has {count} messages; at most {MESSAGES_MAX} are accepted")
