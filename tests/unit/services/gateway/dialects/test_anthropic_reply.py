"""Anthropic's replies as bytes."""

import json
from typing import Any

import msgspec
import pytest

from services.gateway.dialects.anthropic_reply import AnthropicReply, error_envelope
from services.gateway.reply import Answer, Outcome
from shared.errors import ErrorInfo, Kind
from shared.generation import DoneReason, Piece, Usage

OUTCOME = Outcome(reason=DoneReason.STOP, usage=Usage(prompt_tokens=3, generated_tokens=2), total_ns=100, load_ns=10)
BEGINNING = ("message_start", "content_block_start", "content_block_delta")
END = ("content_block_stop", "message_delta", "message_stop")


def new_reply(*stop_sequences: str) -> AnthropicReply:
    return AnthropicReply("m", request_id="1", stop_sequences=stop_sequences, prompt_tokens_estimate=9)


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
        "usage": {"input_tokens": 9, "output_tokens": 0},
    }
    assert [event["delta"]["text"] for event in said[2:4]] == ["a\n", "é"]
    assert said[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert said[-2]["usage"] == {"input_tokens": 3, "output_tokens": 2}


def test_a_stream_without_text_has_no_block() -> None:
    assert [event["type"] for event in events(new_reply().end(OUTCOME))] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]


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
    whole = json.loads(new_reply("END", "").whole([Answer(piece=Piece("text"), outcome=outcome)]))
    assert (whole["stop_reason"], whole["stop_sequence"]) == (stop_reason, stop_sequence)


def test_a_whole_message_has_its_text_in_a_block_and_what_was_left_out() -> None:
    outcome = msgspec.structs.replace(OUTCOME, dropped_messages_count=2)
    whole = json.loads(new_reply().whole([Answer(piece=Piece("text"), outcome=outcome)]))
    assert whole["content"] == [{"type": "text", "text": "text"}]
    assert (whole["usage"], whole["dropped_messages_count"]) == ({"input_tokens": 3, "output_tokens": 2}, 2)
    assert json.loads(new_reply().whole([Answer(piece=Piece(""), outcome=OUTCOME)]))["content"] == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Kind.INVALID, "invalid_request_error"),
        (Kind.CONFLICT, "invalid_request_error"),
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
