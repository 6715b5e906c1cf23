"""What a model cannot do is refused, in the words clients know."""

import pytest

from fakes.model_entries import model_entry
from services.gateway.capabilities import Asked, refusal

PLAIN = model_entry("team/bot")
ABLE = model_entry("bot", capabilities=("completion", "tools", "insert", "thinking", "vision", "audio"))
EVERYTHING = Asked(insert=True, tools=True, thinking=True, images=True, audio=True)


def test_an_able_model_is_refused_nothing() -> None:
    assert refusal(ABLE, EVERYTHING, requested="bot", verb="chat") is None
    assert refusal(ABLE, Asked(), requested="bot", verb="chat") is None


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (Asked(tools=True), "registry.ollama.ai/team/bot:latest does not support tools"),
        (Asked(insert=True, tools=True), "registry.ollama.ai/team/bot:latest does not support insert\ntools"),
        (Asked(thinking=True, tools=True), '"Team/Bot" does not support thinking'),
        (Asked(images=True), '"Team/Bot" does not support images'),
        (Asked(audio=True), '"Team/Bot" does not support audio'),
    ],
)
def test_a_lacking_capability_is_named(asked: Asked, text: str) -> None:
    refused = refusal(PLAIN, asked, requested="Team/Bot", verb="chat")
    assert refused is not None
    assert refused.message == text


def test_a_field_nobody_can_honour_yet_is_refused_by_name_even_by_an_able_model() -> None:
    refused = refusal(ABLE, Asked(unserved=("format", "logprobs")), requested="bot", verb="chat")
    assert refused is not None
    assert refused.message == "this server does not support format, logprobs yet"


def test_an_embedding_model_generates_nothing() -> None:
    embedder = model_entry("bot", capabilities=("embedding",))
    refused = refusal(embedder, Asked(), requested="bot", verb="generate")
    assert refused is not None
    assert refused.message == '"bot" does not support generate'
