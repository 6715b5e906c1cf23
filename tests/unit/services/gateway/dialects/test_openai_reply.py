"""Thoughts and calls of tools in OpenAI's replies."""

import json
from typing import Any

import pytest

from services.gateway.dialects.openai_choices import Completion
from services.gateway.dialects.openai_completions_reply import CompletionReply
from services.gateway.dialects.openai_reply import OpenAiReply
from services.gateway.reply import Answer, Outcome
from shared.generation import DoneReason, Piece, TokenLogprob, ToolCall, Usage

ONE, TWO = ToolCall("f", '{"a": 1}', "call_1"), ToolCall("g", "{}", "call_2")
TOLD_ONE = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
TOLD_TWO = {"index": 1, "id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{}"}}
FUNCTION = {"name": "f", "arguments": '{"a": 1}'}


def outcome(reason: DoneReason = DoneReason.STOP) -> Outcome:
    return Outcome(reason=reason, usage=Usage(), total_ns=1, load_ns=1)


def reply(*, calls_functions: bool = False, choices: int = 1) -> OpenAiReply:
    completion = Completion(
        model="m", completion_id="c", created_unix_s=1, include_usage=False, choices_per_prompt=choices
    )
    return OpenAiReply(completion, calls_functions=calls_functions)


def choices_of(stream: bytes) -> list[dict[str, Any]]:
    frames = stream.decode().split("\n\n")[:-1]
    return [json.loads(frame.removeprefix("data: "))["choices"][0] for frame in frames if "[DONE]" not in frame]


def deltas_of(stream: bytes) -> list[dict[str, Any]]:
    return [choice["delta"] for choice in choices_of(stream)]


def test_thoughts_text_and_calls_have_a_chunk_each_in_this_order() -> None:
    stream = reply().delta(Piece("x", thinking="t", tool_calls=(ONE, TWO)))
    assert deltas_of(stream) == [
        {"role": "assistant", "content": "", "reasoning": "t"},
        {"content": "x"},
        {"tool_calls": [TOLD_ONE, TOLD_TWO]},
    ]


def test_later_chunks_of_thoughts_and_calls_say_nothing_of_content() -> None:
    streamed = reply()
    assert deltas_of(streamed.delta(Piece("a"))) == [{"role": "assistant", "content": "a"}]
    assert deltas_of(streamed.delta(Piece(thinking="t"))) == [{"reasoning": "t"}]
    assert deltas_of(streamed.delta(Piece(tool_calls=(ONE,)))) == [{"tool_calls": [TOLD_ONE]}]


def test_calls_are_counted_for_every_choice_of_its_own() -> None:
    streamed = reply(choices=2)
    first = deltas_of(streamed.delta(Piece(tool_calls=(ONE,)), 0) + streamed.delta(Piece(tool_calls=(TWO,)), 0))
    other = deltas_of(streamed.delta(Piece(tool_calls=(ONE,)), 1))
    assert [delta["tool_calls"] for delta in (*first, *other)] == [[TOLD_ONE], [TOLD_TWO], [TOLD_ONE]]
    ends = [choices_of(streamed.end(outcome(), index))[0]["finish_reason"] for index in (0, 1)]
    assert ends == ["tool_calls", "tool_calls"]


def test_log_probabilities_come_with_the_first_chunk_of_their_piece() -> None:
    told = choices_of(reply().delta(Piece("x", thinking="t", logprobs=(TokenLogprob(b"x", -1.0),))))
    assert ["logprobs" in choice for choice in told] == [True, False]


@pytest.mark.parametrize(
    ("piece", "reason", "finish"),
    [
        (Piece("a"), DoneReason.STOP, "stop"),
        (Piece(tool_calls=(ONE,)), DoneReason.STOP, "tool_calls"),
        (Piece(tool_calls=(ONE,)), DoneReason.LENGTH, "length"),
    ],
)
def test_an_answer_that_calls_ends_with_its_calls_unless_it_was_cut(
    piece: Piece, reason: DoneReason, finish: str
) -> None:
    streamed = reply()
    streamed.delta(piece)
    assert choices_of(streamed.end(outcome(reason)))[0] == {"index": 0, "delta": {}, "finish_reason": finish}
    whole = json.loads(reply().whole([Answer(pieces=(piece,), outcome=outcome(reason))]))
    assert whole["choices"][0]["finish_reason"] == finish


def test_a_whole_message_has_its_thoughts_and_calls_beside_its_content() -> None:
    piece = Piece("", thinking="t", tool_calls=(ONE, TWO))
    whole = json.loads(reply().whole([Answer(pieces=(piece,), outcome=outcome())]))
    assert whole["choices"][0]["message"] == {
        "role": "assistant",
        "content": "",
        "reasoning": "t",
        "tool_calls": [TOLD_ONE, TOLD_TWO],
    }


def test_a_client_that_asked_in_the_older_way_is_answered_in_it() -> None:
    answer = Answer(pieces=(Piece(tool_calls=(ONE,)),), outcome=outcome())
    (choice,) = json.loads(reply(calls_functions=True).whole([answer]))["choices"]
    assert choice["message"] == {"role": "assistant", "content": "", "function_call": FUNCTION}
    assert choice["finish_reason"] == "function_call"
    streamed = reply(calls_functions=True)
    assert deltas_of(streamed.delta(answer.piece)) == [{"role": "assistant", "content": "", "function_call": FUNCTION}]
    assert choices_of(streamed.end(outcome()))[0]["finish_reason"] == "function_call"


def test_a_text_completion_shows_thoughts_it_could_not_prevent() -> None:
    completion = Completion(model="m", completion_id="c", created_unix_s=1, include_usage=False)
    streamed = CompletionReply(completion, echoes=[])
    thought = {"text": "", "index": 0, "reasoning": "t", "logprobs": None, "finish_reason": None}
    assert choices_of(streamed.delta(Piece(thinking="t"))) == [thought]
