"""Whatever a model says, the official client gets it whole, in events that follow Anthropic's order."""

import functools
import json
from collections.abc import Sequence
from typing import Any

import anthropic
import httpx2  # what the client speaks HTTP with
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.dialects.anthropic_reply import AnthropicReply
from services.gateway.reply import Answer, Outcome
from shared.generation import DoneReason, Piece, ToolCall, Usage

OUTCOME = Outcome(
    reason=DoneReason.STOP,
    usage=Usage(prompt_tokens=7, cached_tokens=4, generated_tokens=2),
    total_ns=100,
    load_ns=10,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
CALLS = st.builds(
    ToolCall, st.text(), st.dictionaries(st.text(), JSON, max_size=3).map(json.dumps), st.sampled_from(["", "c"])
)
PIECES = st.lists(st.builds(Piece, st.text(), st.text(), st.lists(CALLS, max_size=2).map(tuple)), max_size=6)
IN_ORDER = st.tuples(
    st.lists(st.builds(lambda thought: Piece(thinking=thought), st.text()), max_size=3),
    st.lists(st.builds(Piece, st.text()), max_size=3),
    st.lists(st.builds(lambda call: Piece(tool_calls=(call,)), CALLS), max_size=3),
).map(lambda kinds: [piece for pieces in kinds for piece in pieces])


def new_reply(*, shows_thinking: bool = True) -> AnthropicReply:
    return AnthropicReply(
        "m", request_id="1", stop_sequences=(), prompt_tokens_estimate=9, shows_thinking=shows_thinking
    )


def streamed(pieces: Sequence[Piece], *, shows_thinking: bool = True) -> bytes:
    reply = new_reply(shows_thinking=shows_thinking)
    return b"".join([*(reply.delta(piece) for piece in pieces if piece), reply.end(OUTCOME)])


class OneReply(httpx2.BaseTransport):
    """A connection on which every request gets the same reply."""

    body = b""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=self.body)


WIRE = OneReply()


@functools.cache
def client() -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="k", base_url="http://gateway", http_client=httpx2.Client(transport=WIRE))


def as_the_client_sees_it(body: bytes) -> Message:
    WIRE.body = body
    with client().messages.stream(model="m", max_tokens=1, messages=[{"role": "user", "content": "a"}]) as stream:
        return stream.get_final_message()


def plain(message: Message) -> dict[str, Any]:
    return message.model_dump(mode="json", exclude_none=True, exclude={"content": {"__all__": {"parsed_output"}}})


def whole(pieces: Sequence[Piece], *, shows_thinking: bool = True) -> Message:
    body = new_reply(shows_thinking=shows_thinking).whole([Answer(pieces=tuple(pieces), outcome=OUTCOME)])
    return Message.model_validate_json(body)


def of_kinds(message: Message) -> tuple[str, str, list[tuple[str, str, object]]]:
    """What the blocks say, each kind in its order."""
    return (
        "".join(block.thinking for block in message.content if block.type == "thinking"),
        "".join(block.text for block in message.content if block.type == "text"),
        [(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"],
    )


@given(PIECES)
def test_a_streamed_message_says_of_every_kind_what_the_whole_one_says(pieces: list[Piece]) -> None:
    assert of_kinds(as_the_client_sees_it(streamed(pieces))) == of_kinds(whole(pieces))


@given(IN_ORDER, st.booleans())
def test_a_message_in_the_usual_order_is_the_same_streamed_and_whole(pieces: list[Piece], shows: bool) -> None:
    seen = as_the_client_sees_it(streamed(pieces, shows_thinking=shows))
    assert plain(seen) == plain(whole(pieces, shows_thinking=shows))


@given(PIECES, st.booleans())
def test_one_block_is_open_at_a_time_and_their_numbers_count_up(pieces: list[Piece], shows: bool) -> None:
    *frames, rest = streamed(pieces, shows_thinking=shows).decode().split("\n\n")
    assert rest == ""
    events = [json.loads(frame.split("\n")[1].removeprefix("data: ")) for frame in frames]
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    is_open, count = False, 0
    for event in events[1:-2]:
        if event["type"] == "ping":
            continue
        assert event["index"] == count
        assert is_open is not (event["type"] == "content_block_start")
        is_open = event["type"] != "content_block_stop"
        count += not is_open
    assert not is_open
