"""Whatever the pieces of an answer: its stream obeys the grammar of events, and ends with the whole reply."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.dialects.responses_reply import ResponseHead, ResponsesReply
from services.gateway.reply import Answer, Outcome
from shared.errors import RunnerDied
from shared.generation import DoneReason, Piece, TokenLogprob, ToolCall, Usage, joined

LOGPROBS = st.lists(st.builds(TokenLogprob, st.binary(max_size=4), st.floats(-9, 0)), max_size=2).map(tuple)
CALLS = st.lists(
    st.builds(ToolCall, st.sampled_from(["look", "crm.find"]), st.just('{"a":1}'), st.sampled_from(["", "call_9"])),
    max_size=2,
).map(tuple)
PIECES = st.lists(
    st.builds(Piece, st.text(max_size=3), st.text(max_size=3), CALLS, LOGPROBS).filter(bool), max_size=8
).map(tuple)
REASONS = st.sampled_from([DoneReason.STOP, DoneReason.LENGTH])


def new_reply() -> ResponsesReply:
    head = ResponseHead(request_id="0" * 32, created_unix_s=1, repeated={"model": "m"}, namespaces={"crm.find": "crm"})
    return ResponsesReply(head, is_kept=True)


def outcome_of(reason: DoneReason) -> Outcome:
    return Outcome(reason=reason, usage=Usage(prompt_tokens=3, generated_tokens=4), total_ns=2_000_000_000, load_ns=0)


def events(stream: bytes) -> list[dict[str, Any]]:
    """The events, each named beside its body as in it, and numbered from zero."""
    found = []
    for number, frame in enumerate(frame for frame in stream.decode().split("\n\n") if frame):
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert (name.removeprefix("event: "), number) == (event["type"], event["sequence_number"])
        found.append(event)
    return found


class Grammar:
    """Follows a stream's items: each is opened, grows, is closed, and is then as it was told piece by piece."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.open: dict[str, Any] | None = None
        self.text = ""
        self.is_done = False

    def follow(self, event: dict[str, Any]) -> None:
        kind = event["type"].removeprefix("response.")
        assert event["output_index"] == len(self.items)
        if kind == "output_item.added":
            assert self.open is None
            self.open, self.text, self.is_done = event["item"], "", False
            return
        assert self.open is not None
        if kind == "output_item.done":
            self.close(event["item"])
            return
        assert event["item_id"] == self.open["id"]
        if kind.endswith(".delta"):
            assert not self.is_done
            self.text += event["delta"]
        elif kind.endswith(("_text.done", "_arguments.done")):
            assert event.get("text", event.get("arguments")) == self.text
            self.is_done = True
        else:
            assert kind.startswith(("content_part.", "reasoning_summary_part."))
            assert event["part"]["text"] == (self.text if kind.endswith(".done") else "")

    def close(self, item: dict[str, Any]) -> None:
        assert self.open is not None
        assert self.is_done
        assert (item["id"], item["type"]) == (self.open["id"], self.open["type"])
        assert text_of(item) == self.text
        self.items.append(item)
        self.open = None


def text_of(item: dict[str, Any]) -> str:
    match item:
        case {"content": [{"text": str() as text}]} | {"summary": [{"text": str() as text}]}:
            return text
        case {"arguments": str() as arguments}:
            return arguments
    raise AssertionError(f"an item without a text: {item}")


def streamed(reply: ResponsesReply, pieces: Sequence[Piece]) -> bytes:
    return b"".join(reply.delta(piece) for piece in pieces)


@given(PIECES, REASONS)
def test_a_stream_opens_and_closes_each_item_in_its_turn(pieces: tuple[Piece, ...], reason: DoneReason) -> None:
    reply = new_reply()
    stream = streamed(reply, pieces) + reply.end(outcome_of(reason)) + reply.last_event()
    created, in_progress, *middle, last = events(stream)
    assert (created["type"], in_progress["type"]) == ("response.created", "response.in_progress")
    assert created["response"] == in_progress["response"]
    assert (created["response"]["status"], created["response"]["output"]) == ("in_progress", [])
    grammar = Grammar()
    for event in middle:
        grammar.follow(event)
    assert grammar.open is None
    assert last["response"]["output"] == grammar.items
    assert len({item["id"] for item in grammar.items}) == len(grammar.items)


@given(PIECES, REASONS)
def test_a_stream_ends_with_what_the_whole_reply_is(pieces: tuple[Piece, ...], reason: DoneReason) -> None:
    reply, outcome = new_reply(), outcome_of(reason)
    stream = streamed(reply, pieces) + reply.end(outcome) + reply.last_event()
    whole = new_reply().whole([Answer(pieces=pieces, outcome=outcome)])
    assert events(stream)[-1]["response"] == json.loads(whole)


@given(PIECES, REASONS)
def test_nothing_of_an_answer_is_lost(pieces: tuple[Piece, ...], reason: DoneReason) -> None:
    answer = Answer(pieces=pieces, outcome=outcome_of(reason))
    output = json.loads(new_reply().whole([answer]))["output"]

    def texts(kind: str) -> str:
        return "".join(text_of(item) for item in output if item["type"] == kind)

    assert (texts("message"), texts("reasoning")) == (answer.piece.text, answer.piece.thinking)
    calls = [item for item in output if item["type"] == "function_call"]
    names = [".".join((*([call["namespace"]] if "namespace" in call else []), call["name"])) for call in calls]
    assert names == [call.name for call in answer.piece.tool_calls]
    assert len({call["call_id"] for call in calls} - {"call_9"}) == sum(
        not call.call_id for call in answer.piece.tool_calls
    )


@given(PIECES, st.booleans())
def test_a_failure_ends_the_stream_and_tells_what_there_was(pieces: tuple[Piece, ...], waits: bool) -> None:
    reply = new_reply()
    waiting = reply.heartbeat() if waits else b""
    stream = waiting.replace(b": waiting\n\n", b"") + streamed(reply, pieces)
    ended = events(stream + reply.stream_error(RunnerDied("gone").info()) + reply.last_event())
    assert [event["type"] for event in ended[-2:]] == ["error", "response.failed"]
    failed = ended[-1]["response"]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")
    assert "".join(text_of(item) for item in failed["output"] if item["type"] == "message") == joined(pieces).text
