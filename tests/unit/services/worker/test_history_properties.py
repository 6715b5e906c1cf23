"""Shortening again and again ends, and keeps what must stay."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.history import without_oldest_message
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
    while (shorter := without_oldest_message(prompt)) is not None:
        assert len(shorter.messages) == len(prompt.messages) - 1
        (dropped,) = set(prompt.messages) - set(shorter.messages)
        assert dropped.role != "system"
        assert set(shorter.messages[: shorter.model_messages_count]) == own & set(shorter.messages)
        prompt = shorter
    must_stay = [message for message in messages[:-1] if message.role == "system"] + list(messages[-1:])
    assert list(prompt.messages) == must_stay
