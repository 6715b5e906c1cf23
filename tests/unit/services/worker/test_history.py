"""Which messages go first when a conversation is too long."""

import msgspec

from services.worker.history import shortened
from shared.generation import ChatPrompt, Message, ToolCall


def prompt_of(*roles: str, model_messages_count: int = 0, characters: int = 1) -> ChatPrompt:
    messages = tuple(Message(role, f"{index}" * characters) for index, role in enumerate(roles))
    return ChatPrompt(
        messages=messages,
        model_messages_count=model_messages_count,
        template="{{ .Prompt }}",
        model_template="{{ .System }}",
        context=(1, 2),
    )


def slightly(prompt: ChatPrompt) -> ChatPrompt | None:
    """Shortened for a prompt that is one token too long."""
    return shortened(prompt, prompt_tokens=101, context_tokens=100)


def contents(prompt: ChatPrompt | None) -> list[str]:
    assert prompt is not None
    return [message.content[0] for message in prompt.messages]


def test_the_oldest_message_goes_first() -> None:
    assert contents(slightly(prompt_of("user", "assistant", "user"))) == ["1", "2"]


def test_a_conversation_far_too_long_loses_many_messages_at_once_but_not_too_many() -> None:
    whole = prompt_of(*["user"] * 10, characters=100)
    assert contents(shortened(whole, prompt_tokens=1000, context_tokens=500)) == list("456789")


def test_system_messages_stay_wherever_they_are() -> None:
    assert contents(slightly(prompt_of("system", "system", "user", "user"))) == ["0", "1", "3"]


def test_the_last_message_stays() -> None:
    assert slightly(prompt_of("user")) is None
    assert slightly(prompt_of("system", "user")) is None


def test_nothing_else_of_the_prompt_changes() -> None:
    whole = prompt_of("user", "user")
    assert slightly(whole) == msgspec.structs.replace(whole, messages=whole.messages[1:])


def test_the_count_of_the_models_own_messages_follows_them() -> None:
    own = slightly(prompt_of("system", "user", "assistant", "user", model_messages_count=3))
    assert own is not None
    assert own.model_messages_count == 2
    others = slightly(prompt_of("system", "user", "user", model_messages_count=1))
    assert others is not None
    assert others.model_messages_count == 1


def test_results_of_tools_go_with_the_calls_they_answer_but_the_last_message_stays() -> None:
    assert contents(slightly(prompt_of("assistant", "tool", "tool", "user"))) == ["3"]
    assert contents(slightly(prompt_of("user", "assistant", "tool"))) == ["1", "2"]
    assert contents(slightly(prompt_of("assistant", "tool"))) == ["1"]


def test_thoughts_calls_and_images_count_as_what_they_take() -> None:
    for heavy in (
        Message("user", "h", images=(b"",)),
        Message("assistant", "h", thinking="t" * 3000),
        Message("assistant", "h", tool_calls=(ToolCall("f", "a" * 3000),)),
    ):
        whole = ChatPrompt(messages=(heavy, *prompt_of(*["user"] * 3, characters=100).messages))
        assert len(contents(shortened(whole, prompt_tokens=1000, context_tokens=300))) == 3
