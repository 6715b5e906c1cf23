"""Shortening again and again ends, and keeps what must stay."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.history import CAUTION, shortened
from shared.generation import ChatPrompt, Message

MESSAGES = st.lists(st.sampled_from(["system", "user", "assistant"]), max_size=10).map(
    lambda roles: tuple(Message(role, f"{index}") for index, role in enumerate(roles))
)


@given(MESSAGES, st.data())
def test_shortening_ends_with_the_system_messages_and_the_last_one(
    messages: tuple[Message, ...], data: st.DataObject
) -> None:
    own_count = data.draw(st.integers(0, len(messages)))
    prompt = ChatPrompt(messages=messages, model_messages_count=own_count)
    own = set(messages[:own_count])
    prompt_tokens = data.draw(st.integers(2, 1000))
    context_tokens = data.draw(st.integers(1, prompt_tokens - 1))
    while (shorter := shortened(prompt, prompt_tokens=prompt_tokens, context_tokens=context_tokens)) is not None:
        dropped = [message for message in prompt.messages if message not in shorter.messages]
        assert dropped
        assert all(message.role != "system" for message in dropped)
        characters = sum(len(message.content) for message in prompt.messages)
        excess = CAUTION * characters * (prompt_tokens - context_tokens) / prompt_tokens
        assert len(dropped) == 1 or sum(len(message.content) for message in dropped) <= excess
        assert set(shorter.messages[: shorter.model_messages_count]) == own & set(shorter.messages)
        prompt = shorter
    must_stay = [message for message in messages[:-1] if message.role == "system"] + list(messages[-1:])
    assert list(prompt.messages) == must_stay
