"""Anthropic's replies as bytes."""

import json
from typing import Any

import msgspec
import pytest

from services.gateway.dialects.anthropic_reply import AnthropicReply, error_envelope
from services.gateway.reply import Answer, Outcome
from shared.errors import ErrorInfo, Kind
from shared.generation import DoneReason, Piece, ToolCall, Usage

OUTCOME = Outcome(
    reason=DoneReason.STOP,
    usage=Usage(prompt_tokens=7, cached_tokens=4, generated_tokens=2),
    total_ns=100,
    load_ns=10,
)
USAGE = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 4,
    "output_tokens": 2,
}
CALL = ToolCall("f", '{"b": 1,  "a":2}', "call_1")
BEGINNING = ("message_start", "content_block_start", "content_block_delta")
END = ("content_block_stop", "message_delta", "message_stop")


def new_reply(*stop_sequences: str, shows_thinking: bool = True) -> AnthropicReply:
    return AnthropicReply(
        "m",
        request_id="1",
        stop_sequences=stop_sequences,
        prompt_tokens_estimate=9,
        shows_thinking=shows_thinking,
    )


def events(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream; each one's name is its type."""
    *frames, rest = body.decode().split("\n\n")
    assert rest == ""
    found = []
    for frame in frames:
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


def test_a_stream_opens_one_block_fills_it_and_closes_it() -> None:
    reply = new_reply()
    said = events(reply.delta(Piece("a\n")) + reply.delta(Piece("é")) + reply.end(OUTCOME))
    assert [event["type"] for event in said] == [*BEGINNING, "content_block_delta", *END]
    assert said[0]["message"] == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 9,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }
    assert [event["delta"]["text"] for event in said[2:4]] == ["a\n", "é"]
    assert said[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert said[-2]["usage"] == USAGE


def test_a_stream_without_text_has_no_block() -> None:
    assert [event["type"] for event in events(new_reply().end(OUTCOME))] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]


def test_thoughts_text_and_calls_have_blocks_of_their_own() -> None:
    reply = new_reply()
    body = reply.delta(Piece(thinking="h")) + reply.delta(Piece(thinking="m", text="so"))
    _, *said = events(body + reply.delta(Piece(tool_calls=(CALL,))) + reply.end(OUTCOME))
    assert [(event["type"].removeprefix("content_block_"), event["index"]) for event in said[:-2]] == [
        ("start", 0),
        ("delta", 0),
        ("delta", 0),
        ("delta", 0),
        ("stop", 0),
        ("start", 1),
        ("delta", 1),
        ("stop", 1),
        ("start", 2),
        ("delta", 2),
        ("stop", 2),
    ]
    assert [event["content_block"] for event in said if event["type"] == "content_block_start"] == [
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "text", "text": ""},
        {"type": "tool_use", "id": "toolu_call_1", "name": "f", "input": {}},
    ]
    assert [event["delta"] for event in said if event["type"] == "content_block_delta"] == [
        {"type": "thinking_delta", "thinking": "h"},
        {"type": "thinking_delta", "thinking": "m"},
        {"type": "signature_delta", "signature": ""},
        {"type": "text_delta", "text": "so"},
        {"type": "input_json_delta", "partial_json": CALL.arguments},
    ]
    assert said[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}


def test_thoughts_that_are_not_shown_are_an_empty_block_and_pings() -> None:
    reply = new_reply(shows_thinking=False)
    said = events(reply.delta(Piece(thinking="secret")) + reply.delta(Piece(thinking="secret")) + reply.end(OUTCOME))
    assert [event["type"] for event in said] == [
        "message_start",
        "content_block_start",
        "ping",
        "ping",
        "content_block_delta",
        *END,
    ]
    assert said[4]["delta"]["type"] == "signature_delta"
    whole = json.loads(reply.whole([Answer(pieces=(Piece("a", "secret"),), outcome=OUTCOME)]))
    assert whole["content"][0] == {"type": "thinking", "thinking": "", "signature": ""}


def test_a_whole_message_has_its_blocks_in_order_and_arguments_as_the_model_wrote_them() -> None:
    whole = new_reply().whole([Answer(pieces=(Piece("so", "hm", (CALL, CALL)),), outcome=OUTCOME)])
    assert CALL.arguments.encode() in whole
    told = json.loads(whole)
    call = {"type": "tool_use", "id": "toolu_call_1", "name": "f", "input": {"b": 1, "a": 2}}
    assert told["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "so"},
        call,
        call,
    ]
    assert told["stop_reason"] == "tool_use"


def test_a_stream_that_waits_begins_and_pings() -> None:
    reply = new_reply()
    said = events(reply.heartbeat() + reply.heartbeat() + reply.delta(Piece("a")))
    assert [event["type"] for event in said] == ["message_start", "ping", "ping", *BEGINNING[1:]]


@pytest.mark.parametrize(
    ("reason", "stop_string", "stop_reason", "stop_sequence"),
    [
        (DoneReason.STOP, "END", "stop_sequence", "END"),
        (DoneReason.STOP, "the model's own", "end_turn", None),
        (DoneReason.STOP, "", "end_turn", None),
        (DoneReason.LENGTH, "", "max_tokens", None),
    ],
)
def test_the_reason_for_the_end_names_the_clients_own_stop_sequence(
    reason: DoneReason, stop_string: str, stop_reason: str, stop_sequence: str | None
) -> None:
    outcome = msgspec.structs.replace(OUTCOME, reason=reason, stop_string=stop_string)
    whole = json.loads(new_reply("END", "").whole([Answer(pieces=(Piece("text"),), outcome=outcome)]))
    assert (whole["stop_reason"], whole["stop_sequence"]) == (stop_reason, stop_sequence)


def test_a_whole_message_has_its_text_in_a_block_and_what_was_left_out() -> None:
    outcome = msgspec.structs.replace(OUTCOME, dropped_messages_count=2)
    whole = json.loads(new_reply().whole([Answer(pieces=(Piece("text"),), outcome=outcome)]))
    assert whole["content"] == [{"type": "text", "text": "text"}]
    assert (whole["usage"], whole["dropped_messages_count"]) == (USAGE, 2)
    assert json.loads(new_reply().whole([Answer(pieces=(Piece(""),), outcome=OUTCOME)]))["content"] == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Kind.INVALID, "invalid_request_error"),
        (Kind.CONFLICT, "invalid_request_error"),
        (Kind.UNSUPPORTED_MEDIA, "invalid_request_error"),
        (Kind.UNAUTHENTICATED, "authentication_error"),
        (Kind.FORBIDDEN, "permission_error"),
        (Kind.NOT_FOUND, "not_found_error"),
        (Kind.TOO_LARGE, "request_too_large"),
        (Kind.RATE_LIMITED, "rate_limit_error"),
        (Kind.UNAVAILABLE, "overloaded_error"),
        (Kind.DEADLINE, "timeout_error"),
        (Kind.INTERNAL, "api_error"),
    ],
)
def test_every_kind_of_error_has_its_type(kind: Kind, name: str) -> None:
    assert error_envelope(ErrorInfo(code="c", kind=kind, message="no"), "1") == {
        "type": "error",
        "error": {"type": name, "message": "no"},
        "request_id": "req_1",
    }


def test_an_error_in_a_stream_is_an_event_of_its_own() -> None:
    error = ErrorInfo(code="c", kind=Kind.INTERNAL, message="no")
    assert events(new_reply().stream_error(error))[0]["error"] == {"type": "api_error", "message": "no"}
