"""Whatever the text, a chunk is one line or one event that gives the text back."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.dialects.ollama_reply import generate_reply
from services.gateway.dialects.openai_choices import Completion
from services.gateway.dialects.openai_reply import OpenAiReply
from shared.generation import Piece


@given(st.text(), st.text(min_size=1))
def test_an_ndjson_chunk_is_one_line_that_gives_model_and_text_back(model: str, text: str) -> None:
    line = generate_reply(model).delta(Piece(text))
    assert line.count(b"\n") == 1
    fields = json.loads(line)
    assert (fields["model"], fields["response"]) == (model, text)


@given(st.text(), st.text())
def test_an_sse_chunk_is_one_event_that_gives_model_and_text_back(model: str, text: str) -> None:
    event = OpenAiReply(Completion(model=model, completion_id="c", created_unix_s=1, include_usage=False)).delta(
        Piece(text)
    )
    assert event.startswith(b"data: ")
    assert event.count(b"\n") == 2
    fields = json.loads(event.removeprefix(b"data: "))
    assert (fields["model"], fields["choices"][0]["delta"]["content"]) == (model, text)
