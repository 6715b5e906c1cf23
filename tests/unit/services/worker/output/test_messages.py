"""Messages with headers: gpt-oss's and Glimmer's."""

import pytest

from fakes.model_outputs import TOOLS, Family, parser_for, read, understood
from shared.errors import ToolCallInvalid
from shared.generation import Piece

HARMONY = Family("harmony", None, "x")
GLIMMER = Family("glimmer", None, "x")
ODD_NAME: dict[str, object] = {"type": "function", "function": {"name": "get-weather.now"}}


def test_the_recipient_may_stand_in_the_role_and_the_channel_after_it() -> None:
    output = '<|start|>assistant to=functions.clock<|channel|>commentary json<|message|>{"a": 1}'
    assert understood(read(parser_for(HARMONY), output)) == [("clock", [("a", 1)])]


def test_commentary_to_nobody_is_an_answer() -> None:
    output = "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>final<|message|>Done."
    assert read(parser_for(HARMONY), output) == Piece("I look.Done.")


def test_a_message_may_end_without_saying_so() -> None:
    output = "<|channel|>analysis<|message|>Hm.<|start|>assistant<|channel|>final<|message|>Yes."
    assert read(parser_for(HARMONY), output) == Piece("Yes.", "Hm.")


def test_a_tool_is_known_by_the_identifier_that_was_made_of_its_name() -> None:
    output = "<|channel|>commentary to=functions.get_weather_now<|message|>{}"
    assert understood(read(parser_for(HARMONY, tools=[ODD_NAME]), output)) == [("get-weather.now", [])]


def test_without_tools_nobody_is_called() -> None:
    output = "<|channel|>commentary to=functions.clock<|message|>{}"
    assert read(parser_for(HARMONY, tools=()), output) == Piece("{}")


@pytest.mark.parametrize("body", ["", "{", "[1]", "clock()"])
def test_arguments_that_are_no_object_are_an_error_unless_they_were_cut(body: str) -> None:
    output = f"<|channel|>commentary to=functions.clock<|message|>{body}"
    with pytest.raises(ToolCallInvalid, match=r"^error parsing tool call: raw='.*', err=."):
        read(parser_for(HARMONY), output)
    assert read(parser_for(HARMONY), output, is_cut=True) == Piece()


def test_who_writes_no_header_has_answered_and_a_header_without_a_message_is_nothing() -> None:
    for family in (HARMONY, GLIMMER):
        assert read(parser_for(family), "Hel", "lo.") == Piece("Hello.")
    assert read(parser_for(HARMONY), "<|channel|>final") == Piece()
    assert read(parser_for(GLIMMER), " to=user") == Piece()


def test_glimmers_tools_may_be_addressed_in_their_namespace() -> None:
    call = (
        ' to=clock.clock<|message|><atem:function_calls><atem:invoke name="clock.clock"></atem:invoke>'
        "</atem:function_calls><|eom|>"
    )
    assert understood(read(parser_for(GLIMMER), call)) == [("clock", [])]


@pytest.mark.parametrize(
    "body",
    [
        "no call",
        "<atem:function_calls></atem:function_calls>",
        '<atem:function_calls><atem:invoke name="nobody"></atem:invoke></atem:function_calls>',
        '<atem:function_calls><atem:invoke name="clock"><atem:parameter name="a">1</atem:invoke></atem:function_calls>',
        '<atem:function_calls><atem:invoke name="clock">x</atem:invoke></atem:function_calls>',
        '<atem:function_calls>x<atem:invoke name="clock"></atem:invoke></atem:function_calls>',
    ],
)
def test_glimmers_broken_calls_are_errors(body: str) -> None:
    with pytest.raises(ToolCallInvalid):
        read(parser_for(GLIMMER), f" to=clock<|message|>{body}<|eom|>")


def test_glimmers_messages_to_strangers_are_answers() -> None:
    assert read(parser_for(GLIMMER, tools=TOOLS), " to=somebody<|message|>Hi<|eot|>") == Piece("Hi")
