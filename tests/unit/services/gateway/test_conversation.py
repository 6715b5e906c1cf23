"""How long a conversation may be, in every dialect."""

import json
from collections.abc import Callable

import pytest

from services.gateway.conversation import MESSAGES_MAX
from services.gateway.dialects import anthropic, ollama, openai
from shared.errors import ParameterInvalid


def body(count: int) -> bytes:
    messages = [{"role": "user", "content": "a"}] * count
    return json.dumps({"model": "m", "max_tokens": 1, "messages": messages}).encode()


@pytest.mark.parametrize(
    "parse", [anthropic.parse_messages, anthropic.parse_count, ollama.parse_chat, openai.parse_chat]
)
def test_a_conversation_has_a_longest_length(parse: Callable[[bytes], object]) -> None:
    assert parse(body(MESSAGES_MAX))
    with pytest.raises(ParameterInvalid, match=f"has {MESSAGES_MAX + 1} messages; at most {MESSAGES_MAX}"):
        parse(body(MESSAGES_MAX + 1))
