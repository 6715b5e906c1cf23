"""Replies as bytes, in both dialects."""

import json
from typing import Any

import pytest

from services.gateway.dialects.ollama_reply import chat_reply, generate_reply
from services.gateway.dialects.openai_reply import OpenAiReply, model_list
from services.gateway.reply import Outcome
from shared.errors import InternalError
from shared.generation import DoneReason, Usage

OUTCOME = Outcome(
    reason=DoneReason.LENGTH,
    usage=Usage(prompt_tokens=3, generated_tokens=1, prompt_ns=5, decode_ns=0),
    total_ns=100,
    load_ns=10,
    context=(1, 2),
)


def without_time(line: bytes) -> dict[str, Any]:
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    fields: dict[str, Any] = json.loads(line)
    assert fields.pop("created_at")
    return fields


def test_a_chunk_of_generate_and_of_chat() -> None:
    assert without_time(generate_reply("m").delta('a"\n')) == {"model": "m", "response": 'a"\n', "done": False}
    assert without_time(chat_reply("m").delta("é")) == {
        "model": "m",
        "message": {"role": "assistant", "content": "é"},
        "done": False,
    }


def test_the_last_chunk_has_no_zero_duration_for_tokens_there_were() -> None:
    assert without_time(generate_reply("m").end(OUTCOME)) == {
        "model": "m",
        "response": "",
        "done": True,
        "done_reason": "length",
        "total_duration": 100,
        "load_duration": 10,
        "prompt_eval_count": 3,
        "prompt_eval_duration": 5,
        "eval_count": 1,
        "eval_duration": 1,
        "context": [1, 2],
    }


def test_an_error_in_a_stream_is_one_object_with_nothing_else() -> None:
    assert chat_reply("m").stream_error(InternalError("no").info()) == b'{"error":"no"}\n'


@pytest.mark.parametrize("include_usage", [True, False])
def test_an_openai_stream_without_text_still_has_its_role_and_its_end(include_usage: bool) -> None:
    reply = OpenAiReply("m", completion_id="chatcmpl-1", created_unix_s=5, include_usage=include_usage)
    *frames, rest = reply.end(OUTCOME).decode().split("\n\n")
    assert rest == ""
    assert frames.pop() == "data: [DONE]"
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    assert [chunk["choices"] for chunk in chunks[:2]] == [
        [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}],
        [{"index": 0, "delta": {}, "finish_reason": "length"}],
    ]
    assert [(chunk["choices"], chunk["usage"]) for chunk in chunks[2:]] == (
        [([], {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4})] if include_usage else []
    )
    assert all("usage" not in chunk for chunk in chunks[:2])


def test_no_models_are_null_in_openais_list() -> None:
    assert model_list([]) == {"object": "list", "data": None}
