"""Shortening a conversation that does not fit its context: pure."""

from typing import Final

import msgspec

from shared.generation import ChatPrompt

CAUTION: Final = 0.8
"""Of the characters that seem too many, drop this share before counting tokens again: never more than needed."""


def shortened(prompt: ChatPrompt, *, prompt_tokens: int, context_tokens: int) -> ChatPrompt | None:
    """The prompt less its oldest messages, as many as the token counts suggest and one at least; None when none may go.

    System messages and the last message always stay.
    Source: Ollama `server/prompt.go`.
    """
    characters = sum(len(message.content) for message in prompt.messages)
    too_many = CAUTION * characters * (prompt_tokens - context_tokens) / max(1, prompt_tokens)
    dropped: set[int] = set()
    for index, message in enumerate(prompt.messages[:-1]):
        if message.role == "system":
            continue
        dropped_characters = sum(len(prompt.messages[i].content) for i in dropped)
        if dropped and dropped_characters + len(message.content) > too_many:
            break
        dropped.add(index)
    if not dropped:
        return None
    return msgspec.structs.replace(
        prompt,
        messages=tuple(message for index, message in enumerate(prompt.messages) if index not in dropped),
        model_messages_count=prompt.model_messages_count
        - sum(1 for index in dropped if index < prompt.model_messages_count),
    )
