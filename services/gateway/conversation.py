"""What a chat of any dialect asks of a model: said once, in the words of none of them."""

import msgspec

from shared.generation import Message, Think


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The fields are those of `shared.generation.ChatPrompt`; the model's own messages are not among `messages` yet."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, object], ...] = ()
    forced_tools: tuple[str, ...] = ()
    one_tool_call: bool = False
    think: Think = None
