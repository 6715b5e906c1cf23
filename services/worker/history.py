"""Shortening a conversation that does not fit its context: pure."""

from shared.generation import ChatPrompt


def without_oldest_message(prompt: ChatPrompt) -> ChatPrompt | None:
    """The prompt less its oldest message that may go, or None when nothing may.

    System messages and the last message always stay.
    Source: Ollama `server/prompt.go`.
    """
    for index, message in enumerate(prompt.messages[:-1]):
        if message.role == "system":
            continue
        return ChatPrompt(
            messages=prompt.messages[:index] + prompt.messages[index + 1 :],
            model_messages_count=prompt.model_messages_count - (index < prompt.model_messages_count),
            template=prompt.template,
            model_template=prompt.model_template,
            context=prompt.context,
        )
    return None
