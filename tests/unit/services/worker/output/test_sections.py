"""Thoughts, answers and calls told apart: what is shown when, what is held back, what is an error."""

import pytest

from fakes.model_outputs import CALLS, TOOLS, Family, hermes, parser_for, read, read_or_error, understood
from services.worker.output.formats import BARE_JSON, HERMES, LLAMA, THINK
from services.worker.output.sections import SectionedOutput, Sections
from services.worker.output.tools import Tools
from shared.errors import ToolCallInvalid
from shared.generation import Piece

QWEN = Family("qwen3-thinking", hermes, "{}</think>")
THOUGHTS = Sections(THINK.opening, THINK.closing)


def sectioned(sections: Sections, *, opened: bool = False) -> SectionedOutput:
    return SectionedOutput(sections, Tools(TOOLS), opened=opened, one_call=False)


def test_only_what_may_begin_a_mark_and_the_whitespace_before_it_are_held_back() -> None:
    parser = sectioned(Sections(calls=HERMES.calls))
    shown = [parser.feed(part).text for part in ("Hi", " there\n", "<to", "ol>", " \n", "x <tool", "_call")]
    assert shown == ["Hi", " there", "", "\n<tool>", "", " \nx", ""]
    assert parser.finish(is_cut=False).text == " <tool_call"


def test_without_calls_nothing_of_an_answer_is_held_back() -> None:
    parser = sectioned(THOUGHTS)
    assert [parser.feed(part).text for part in ("Hi", " <", " \n", "<think>")] == ["Hi", " <", " \n", "<think>"]


def test_a_thought_is_shown_while_it_comes_and_loses_the_whitespace_around_it() -> None:
    parser = sectioned(THOUGHTS)
    told = [parser.feed(part) for part in ("\n<th", "ink>\n", " a", " ", "b \n", "</think", ">\n\n", " c ")]
    assert [piece.thinking for piece in told] == ["", "", "a", "", " b", "", "", ""]
    assert [piece.text for piece in told] == ["", "", "", "", "", "", "", "c "]


@pytest.mark.parametrize("empty", ["<think></think>Hi", "<think>\n\n</think>\n\nHi", "</think>Hi", " \n</think>\nHi"])
def test_an_empty_thought_leaves_no_trace(empty: str) -> None:
    assert read(sectioned(THOUGHTS), empty) == Piece("Hi")


def test_a_thought_that_does_not_end_stays_one() -> None:
    assert read(sectioned(THOUGHTS), "<think>a\n</thin") == Piece(thinking="a\n</thin")
    assert read(sectioned(THOUGHTS), "<think>a\n</thin", is_cut=True) == Piece(thinking="a\n")


def test_a_thought_that_the_prompt_opened_may_be_opened_again() -> None:
    for output in ("a</think>b", "<think>\na</think>b", "\na\n</think>b"):
        assert read(sectioned(THOUGHTS, opened=True), output) == Piece("b", "a")


def test_tags_later_in_an_answer_are_what_it_is_about() -> None:
    assert read(sectioned(THOUGHTS), "Use <think>x</think>.") == Piece("Use <think>x</think>.")
    assert read(sectioned(THOUGHTS, opened=True), "The <think> tag</think>ok") == Piece("ok", "The <think> tag")


def test_whitespace_before_an_answer_without_a_thought_belongs_to_it() -> None:
    assert read(sectioned(THOUGHTS), "\n Hi \n") == Piece("\n Hi \n")


def test_a_call_ends_a_thought_where_the_family_lets_it() -> None:
    output = "hm\n" + hermes(CALLS[1:])
    piece = read(parser_for(Family("nemotron-3-nano", hermes, "x")), output)
    assert (piece.thinking, understood(piece)) == ("hm", [("clock", [])])
    assert read(parser_for(QWEN), output) == Piece(thinking=output)


def test_text_between_and_after_calls_is_an_answer_and_the_whitespace_is_not() -> None:
    output = f"a\n\n{hermes(CALLS[1:])}\n b \n{hermes(CALLS[1:])}\n"
    piece = read(sectioned(Sections(calls=HERMES.calls)), output)
    assert piece.text == "ab"
    assert len(piece.tool_calls) == 2


@pytest.mark.parametrize(
    "body", ["", "{", '{"name": 1}', '{"name": "f", "arguments": [1]}', "[1]", "oops", "<function=f>"]
)
def test_a_mark_before_something_that_is_no_call_is_an_error(body: str) -> None:
    for parts in ([f"<tool_call>{body}</tool_call>"], [f"<tool_call>{body}"]):
        with pytest.raises(ToolCallInvalid, match=r"^error parsing tool call: raw='.*', err=."):
            read(sectioned(Sections(calls=HERMES.calls)), *parts)


def test_a_call_whose_closing_mark_never_came_counts() -> None:
    output = '<tool_call>{"name": "clock", "arguments": {}}\n</tool'
    for is_cut in (True, False):
        assert understood(read(sectioned(Sections(calls=HERMES.calls)), output, is_cut=is_cut)) == [("clock", [])]


def test_half_of_a_call_in_tags_is_none_though_it_could_be_read() -> None:
    half = "<tool_call>get_weather<arg_key>city</arg_key><arg_value>Rome</arg_value>"
    family = Family("glm-ocr", None)
    assert read(parser_for(family), half, is_cut=True) == Piece()
    assert understood(read(parser_for(family), half)) == [("get_weather", [("city", "Rome")])]


def test_a_very_deep_call_is_an_error_like_any_other() -> None:
    for depth in (200, 100_000):
        deep = '{"name": "f", "arguments": ' + '{"a":' * depth + "1" + "}" * depth + "}"
        assert "err=" in str(read_or_error(sectioned(Sections(calls=HERMES.calls)), f"<tool_call>{deep}</tool_call>"))


def test_bare_json_is_a_call_only_where_an_answer_begins_and_only_of_a_known_tool() -> None:
    call = '{"name": "get_weather", "parameters": {"city": "Rome"}}'
    bare = Sections(calls=BARE_JSON.calls)
    assert understood(read(sectioned(bare), f" \n{call}\n")) == [("get_weather", [("city", "Rome")])]
    assert len(read(sectioned(bare), f"{call}\n{call}").tool_calls) == 2
    for text in (f"So: {call}", '{"name": "nobody"} is it', '{"a": {"b": "}"}', "{", "{} {"):
        for parts in ([text], list(text)):
            assert read(sectioned(bare), *parts) == Piece(text)


def test_bare_json_that_was_cut_off_is_shown_and_a_marked_call_is_not() -> None:
    llama = Sections(calls=LLAMA.calls)
    assert read(sectioned(llama), '{"name": "get_wea', is_cut=True) == Piece('{"name": "get_wea')
    assert read(sectioned(llama), '<|python_tag|>{"name": "get_wea', is_cut=True) == Piece()
    assert read(sectioned(llama), "<|python_tag|>print(1)") == Piece("print(1)")
    marked = '<|python_tag|>{"name": "clock", "parameters": {}}'
    assert understood(read(sectioned(llama), marked)) == [("clock", [])]
