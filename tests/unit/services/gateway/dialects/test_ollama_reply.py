"""Ollama's replies with thoughts, calls of tools and log-probabilities."""

import json
from typing import Any

import msgspec

from services.gateway.dialects.ollama_reply import (
    OllamaReply,
    chat_reply,
    generate_reply,
    rendered_chat_reply,
    rendered_generate_reply,
)
from services.gateway.reply import Answer, Outcome
from shared.generation import DoneReason, Piece, TokenLogprob, ToolCall, Usage

OUTCOME = Outcome(reason=DoneReason.STOP, usage=Usage(), total_ns=1, load_ns=1)
ADD = ToolCall("add", '{"b": 2,\n "a": "<é>"}', "call_1")
NOW = ToolCall("now", "{}")
ADD_TOLD = {"id": "call_1", "function": {"index": 0, "name": "add", "arguments": {"b": 2, "a": "<é>"}}}
NOW_TOLD = {"function": {"index": 1, "name": "now", "arguments": {}}}


def lines(stream: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.splitlines()]


def messages(stream: bytes) -> list[dict[str, Any]]:
    return [line["message"] for line in lines(stream)]


def whole(reply: OllamaReply, piece: Piece) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(reply.whole([Answer(pieces=(piece,), outcome=OUTCOME)]))
    return body


def test_thoughts_text_and_calls_come_in_this_order_and_in_chunks_of_their_own() -> None:
    stream = chat_reply("m").delta(Piece("text", "thought", (ADD,)))
    assert messages(stream) == [
        {"role": "assistant", "content": "", "thinking": "thought"},
        {"role": "assistant", "content": "text"},
        {"role": "assistant", "content": "", "tool_calls": [ADD_TOLD]},
    ]
    assert all(line["done"] is False for line in lines(stream))


def test_calls_count_on_from_chunk_to_chunk_and_the_last_chunk_repeats_none() -> None:
    reply = chat_reply("m")
    stream = reply.delta(Piece(tool_calls=(ADD,))) + reply.delta(Piece(tool_calls=(NOW,))) + reply.end(OUTCOME)
    assert [message.get("tool_calls") for message in messages(stream)] == [[ADD_TOLD], [NOW_TOLD], None]


def test_a_whole_chat_has_all_of_it_in_one_message() -> None:
    assert whole(chat_reply("m"), Piece("text", "thought", (ADD, NOW)))["message"] == {
        "role": "assistant",
        "content": "text",
        "thinking": "thought",
        "tool_calls": [ADD_TOLD, NOW_TOLD],
    }


def test_generate_tells_calls_with_its_last_chunk_alone() -> None:
    reply = generate_reply("m")
    stream = lines(reply.delta(Piece("", "hm", (ADD,))) + reply.delta(Piece(tool_calls=(NOW,))) + reply.end(OUTCOME))
    assert [line.get("tool_calls") for line in stream] == [None, None, [ADD_TOLD, NOW_TOLD]]
    assert stream[0]["thinking"] == "hm"
    assert "thinking" not in stream[-1]
    body = whole(reply, Piece("a", "hm", (ADD, NOW)))
    assert (body["response"], body["thinking"], body["tool_calls"]) == ("a", "hm", [ADD_TOLD, NOW_TOLD])


def test_a_prompt_that_was_asked_for_alone_is_told_apart_from_any_answer() -> None:
    body = whole(rendered_chat_reply("m", images_count=2), Piece("<user>Hi"))
    assert body["message"] == {"role": "assistant", "content": ""}
    assert body["_debug_info"] == {"rendered_template": "<user>Hi", "image_count": 2}
    body = whole(rendered_generate_reply("m", images_count=0), Piece("<user>Hi"))
    assert (body["response"], body["done"], body["_debug_info"]) == ("", False, {"rendered_template": "<user>Hi"})
    loaded = msgspec.structs.replace(OUTCOME, reason=DoneReason.LOAD)
    reply = rendered_chat_reply("m", images_count=0)
    assert json.loads(reply.whole([Answer(pieces=(Piece(),), outcome=loaded)]))["done_reason"] == "load"


def test_log_probabilities_are_told_once_and_without_text_too() -> None:
    told = [{"token": "a", "logprob": -1.0, "bytes": [97]}]
    logprobs = (TokenLogprob(b"a", -1.0),)
    stream = lines(
        chat_reply("m").delta(Piece("a", "b", (), logprobs)) + chat_reply("m").delta(Piece("", "", (), logprobs))
    )
    assert [line.get("logprobs") for line in stream] == [told, None, told]
    assert whole(generate_reply("m"), Piece("a", logprobs=logprobs))["logprobs"] == told
