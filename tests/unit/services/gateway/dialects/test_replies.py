"""Replies as bytes, in both dialects."""

import json
from typing import Any

import pytest

from services.gateway.dialects.ollama_reply import chat_reply, generate_reply
from services.gateway.dialects.openai_choices import ChoicesReply, Completion
from services.gateway.dialects.openai_completions_reply import CompletionReply
from services.gateway.dialects.openai_reply import OpenAiReply, model_list
from services.gateway.reply import Answer, Outcome
from shared.errors import InternalError
from shared.generation import DoneReason, Piece, Usage

OUTCOME = Outcome(
    reason=DoneReason.LENGTH,
    usage=Usage(prompt_tokens=3, cached_tokens=2, generated_tokens=1, prompt_ns=5, decode_ns=0),
    total_ns=100,
    load_ns=10,
    context=(1, 2),
)


def completion(**changes: Any) -> Completion:
    fields = {"model": "m", "completion_id": "c-1", "created_unix_s": 5, "include_usage": False, **changes}
    return Completion(**fields)


def usage(prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
    }


def chunks_of(stream: bytes) -> list[dict[str, Any]]:
    """The JSON of an OpenAI stream that has ended."""
    *frames, done, rest = stream.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


def without_time(line: bytes) -> dict[str, Any]:
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    fields: dict[str, Any] = json.loads(line)
    assert fields.pop("created_at")
    return fields


def test_a_chunk_of_generate_and_of_chat() -> None:
    assert without_time(generate_reply("m").delta(Piece('a"\n'))) == {"model": "m", "response": 'a"\n', "done": False}
    assert without_time(chat_reply("m").delta(Piece("é"))) == {
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
    reply = OpenAiReply(completion(include_usage=include_usage))
    chunks = chunks_of(reply.end(OUTCOME))
    assert [chunk["choices"] for chunk in chunks[:2]] == [
        [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}],
        [{"index": 0, "delta": {}, "finish_reason": "length"}],
    ]
    assert [(chunk["choices"], chunk["usage"]) for chunk in chunks[2:]] == (
        [([], usage(3, 2, 1))] if include_usage else []
    )
    assert all("usage" not in chunk for chunk in chunks[:2])


def test_the_choices_of_a_stream_have_their_indices_and_one_end() -> None:
    reply = OpenAiReply(completion(choices_per_prompt=2, include_usage=True))
    chunks = chunks_of(
        reply.delta(Piece("b"), 1)
        + reply.delta(Piece("a"), 0)
        + reply.end(OUTCOME, 1)
        + reply.delta(Piece("A"), 0)
        + reply.end(OUTCOME, 0)
    )
    *parts, last = chunks
    assert [(part["choices"][0]["index"], part["choices"][0]["delta"]) for part in parts] == [
        (1, {"role": "assistant", "content": "b"}),
        (0, {"role": "assistant", "content": "a"}),
        (1, {}),
        (0, {"content": "A"}),
        (0, {}),
    ]
    assert last["usage"] == usage(3, 2, 2)


def test_a_prompt_counts_once_however_many_choices_it_has() -> None:
    reply = OpenAiReply(completion(prompts_count=2, choices_per_prompt=3))
    whole = json.loads(reply.whole([Answer(pieces=(Piece(str(index)),), outcome=OUTCOME) for index in range(6)]))
    assert [(choice["index"], choice["message"]["content"]) for choice in whole["choices"]] == [
        (index, str(index)) for index in range(6)
    ]
    assert whole["usage"] == usage(6, 4, 6)


def test_an_echo_stands_once_in_front_of_every_choice_of_its_prompt() -> None:
    reply = CompletionReply(completion(prompts_count=2, choices_per_prompt=2), echoes=["P", "Q"])
    stream = b"".join(
        [reply.delta(Piece("a"), 0), reply.delta(Piece("b"), 0), *(reply.end(OUTCOME, index) for index in range(4))]
    )
    assert [(chunk["choices"][0]["index"], chunk["choices"][0]["text"]) for chunk in chunks_of(stream)] == [
        (0, "Pa"), (0, "b"), (0, ""), (1, "P"), (2, "Q"), (3, "Q"),
    ]  # fmt: skip
    whole = json.loads(
        CompletionReply(completion(), echoes=["P"]).whole([Answer(pieces=(Piece("a"),), outcome=OUTCOME)])
    )
    assert whole["choices"] == [{"text": "Pa", "index": 0, "logprobs": None, "finish_reason": "length"}]
    assert (whole["object"], whole["id"]) == ("text_completion", "c-1")


@pytest.mark.parametrize("reply", [OpenAiReply(completion()), CompletionReply(completion(), echoes=[])])
def test_a_stream_of_events_waits_with_a_comment(reply: ChoicesReply) -> None:
    assert reply.heartbeat() == b": waiting\n\n"


def test_a_stream_of_lines_waits_with_an_empty_chunk() -> None:
    assert without_time(chat_reply("m").heartbeat())["message"] == {"role": "assistant", "content": ""}


def test_no_models_are_null_in_openais_list() -> None:
    assert model_list([]) == {"object": "list", "data": None}
