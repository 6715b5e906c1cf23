"""Shortening a conversation that does not fit its context: pure."""

from typing import Final

import msgspec

from shared.generation import ChatPrompt, Message

CAUTION: Final = 0.8
"""Of the characters that seem too many, drop this share before counting tokens again: never more than needed."""
IMAGE_CHARS: Final = 3072
"""An image counts as 768 tokens until its real count is known."""


def shortened(prompt: ChatPrompt, *, prompt_tokens: int, context_tokens: int) -> ChatPrompt | None:
    """The prompt less its oldest messages, as many as the token counts suggest and one at least; None when none may go.

    System messages and the last message always stay. A tool's results go with the call they answer.
    Source: Ollama `server/prompt.go`.
    """
    sizes = [_size(message) for message in prompt.messages]
    too_many = CAUTION * sum(sizes) * (prompt_tokens - context_tokens) / max(1, prompt_tokens)
    dropped: set[int] = set()
    dropped_size = 0
    for index, message in enumerate(prompt.messages[:-1]):
        if message.role == "system":
            continue
        is_enough = bool(dropped) and dropped_size + sizes[index] > too_many
        if is_enough and message.role != "tool":
            break
        dropped.add(index)
        dropped_size += sizes[index]
    if not dropped:
        return None
    return msgspec.structs.replace(
        prompt,
        messages=tuple(message for index, message in enumerate(prompt.messages) if index not in dropped),
        model_messages_count=prompt.model_messages_count
        - sum(1 for index in dropped if index < prompt.model_messages_count),
    )


def _size(message: Message) -> int:
    """Roughly how many characters of the prompt a message is."""
    calls = sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
    return len(message.content) + len(message.thinking) + calls + IMAGE_CHARS * len(message.images)
