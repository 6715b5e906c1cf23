"""Laws that the output of every family obeys, however it arrives."""

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fakes.model_outputs import (
    CALLS,
    FAMILIES,
    Call,
    Family,
    meant,
    parser_for,
    read,
    read_or_error,
    understood,
)
from services.worker.output.formats import PARSERS
from shared import capabilities
from shared.errors import ToolCallInvalid

every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: f"{family.parser}")
calling = pytest.mark.parametrize(
    "family", [family for family in FAMILIES if family.calls is not None], ids=lambda family: f"{family.parser}"
)

every_way_of_writing = pytest.mark.parametrize(
    "family",
    {(family.calls, family.thought): family for family in FAMILIES}.values(),
    ids=lambda family: f"{family.parser}",
)

MARKUP = re.compile(r"<[|/a-z｜][^ ]*>|\[/?[A-Z_]+\]|</?think")
JUNK = (
    "<think>", "</think>", "<tool_call>", "</tool_call>", "<function=", "<parameter=", "</parameter>", "</function>",
    "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "[TOOL_CALLS]", "[ARGS]", "[THINK]", "[/THINK]",
    "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "```json\n", "```",
    "<|START_ACTION|>", "<|END_ACTION|>", "<|END_THINKING|>", "<|START_TEXT|>", "<|tool_call_start|>",
    "<|tool_call_end|>", "<function_calls>", "</function_calls>", "<|channel>thought", "<channel|>", "<|tool_call>",
    "<tool_call|>", "call:", '<|"|>', "<escape>", "<start_function_call>", "<end_function_call>", "<|start|>",
    "<|channel|>", "analysis", "commentary to=functions.", "<|message|>", "<|end|>", "<|call|>", " to=self",
    " to=get_weather", "<|eom|>", "<atem:function_calls>", '<atem:invoke name="', '">', "</atem:invoke>",
    "get_weather", "clock", '{"name": "', '", "arguments": {', '"city": "', "{", "}", "[", "]", "(", ")", ",", '"',
    "'", "\\", "\n", " ", "word", "1", "=", ":", "\ud800", "\x00",
)  # fmt: skip

words = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<>"), max_size=12)
numbers = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False, width=32)
inner: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.none() | numbers | words,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), values),
    max_leaves=6,
)
arguments = st.fixed_dictionaries(
    {},
    optional={
        "city": words.filter(lambda word: word.strip() == word),
        "days": st.integers(-(10**9), 10**9),
        "detail": st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), inner, max_size=3),
    },
)
calls = st.lists(
    st.tuples(st.just("get_weather"), arguments) | st.just(("clock", {})),
    min_size=1,
    max_size=3,
)


def _hm(family: Family) -> str:
    return "Hm." if family.thought else ""


def sample(family: Family) -> str:
    return family.output(thought="Is it\n\nso?" if family.thought else "", text="I look: 1 < 2.", calls=CALLS)


def test_every_parser_that_a_config_may_name_has_a_format_and_a_sample() -> None:
    assert PARSERS.keys() == capabilities.PARSERS.keys() == {family.parser for family in FAMILIES}
    for name, traits in capabilities.PARSERS.items():
        output = PARSERS[name]
        assert traits.tools == bool(output.calls or output.messages)


@every_family
def test_a_whole_answer_is_told_apart(family: Family) -> None:
    piece = read(parser_for(family), sample(family))
    assert piece.text == "I look: 1 < 2."
    assert piece.thinking == ("Is it\n\nso?" if family.thought else "")
    assert understood(piece) == (meant(CALLS) if family.calls else [])
    assert not MARKUP.search(piece.text + piece.thinking)


@every_family
def test_it_is_the_same_wherever_it_is_cut_in_two_and_cut_into_characters(family: Family) -> None:
    output = sample(family)
    whole = read(parser_for(family), output)
    assert read(parser_for(family), *output) == whole
    for cut in range(len(output) + 1):
        assert read(parser_for(family), output[:cut], output[cut:]) == whole


@every_family
def test_what_was_told_is_only_ever_extended(family: Family) -> None:
    output = sample(family)
    whole = read(parser_for(family), output)
    parser = parser_for(family)
    text = thinking = ""
    calls_count = 0
    for character in output:
        piece = parser.feed(character)
        text, thinking = text + piece.text, thinking + piece.thinking
        calls_count += len(piece.tool_calls)
        assert whole.text.startswith(text)
        assert whole.thinking.startswith(thinking)
        assert not MARKUP.search(text + thinking)
    if not family.parser.startswith("ministral"):
        assert calls_count == len(whole.tool_calls)


@every_way_of_writing
@settings(max_examples=40)
@given(data=st.data())
def test_anything_gives_the_same_in_any_parts_and_no_error_but_one(family: Family, data: st.DataObject) -> None:
    output = "".join(data.draw(st.lists(st.sampled_from(JUNK), max_size=14)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(output)), max_size=6)))
    is_cut = data.draw(st.booleans())
    parts = [output[start:end] for start, end in zip([0, *cuts], [*cuts, len(output)], strict=True)]
    whole = read_or_error(parser_for(family), output, is_cut=is_cut)
    assert read_or_error(parser_for(family), *parts, is_cut=is_cut) == whole


@every_way_of_writing
@settings(max_examples=40)
@given(text=st.text(max_size=60))
def test_text_without_marks_is_the_answer(family: Family, text: str) -> None:
    assume(not set(text) & set("<[{") and text.strip())
    output = family.output(thought=_hm(family), text=text.strip())
    assert read(parser_for(family), output).text == text.strip()


@every_way_of_writing
@settings(max_examples=40)
@given(calls=calls)
def test_calls_come_back_as_they_were_written(family: Family, calls: list[Call]) -> None:
    piece = read(parser_for(family), family.output(thought=_hm(family), calls=calls))
    assert understood(piece) == (meant(calls) if family.calls else [])
    assert piece.text == ""


@calling
def test_a_call_that_was_cut_off_is_dropped_and_one_left_unfinished_is_an_error(family: Family) -> None:
    output = family.output(thought=_hm(family), calls=CALLS[:1])
    for cut in range(len(output)):
        piece = read(parser_for(family), output[:cut], is_cut=True)
        assert understood(piece) in ([], meant(CALLS[:1]))
        assert piece.text == ""
        unfinished = read_or_error(parser_for(family), output[:cut])
        if isinstance(unfinished, str):
            assert unfinished.startswith("error parsing tool call: raw='")


@calling
def test_one_call_is_all_there_is_where_no_more_are_allowed(family: Family) -> None:
    piece = read(parser_for(family, one_tool_call=True), sample(family))
    assert understood(piece) == meant(CALLS[:1])


@calling
def test_every_call_has_an_id_of_its_own(family: Family) -> None:
    parser = parser_for(family)
    told = [*(parser.feed(part) for part in sample(family)), parser.finish(is_cut=False)]
    ids = [call.call_id for piece in told for call in piece.tool_calls]
    assert len(set(ids)) == len(CALLS)
    assert all(re.fullmatch(r"call_[a-z0-9]{8}", call_id) for call_id in ids)


@every_family
def test_without_tools_calls_are_text_but_thoughts_are_thoughts(family: Family) -> None:
    output = family.output(thought=_hm(family), text="a <tool_call> [TOOL_CALLS] <function=")
    piece = read(parser_for(family, tools=()), output)
    assert piece.text == "a <tool_call> [TOOL_CALLS] <function="
    assert piece.thinking == (_hm(family))


def test_the_order_and_the_writing_of_numbers_stay_the_models_own() -> None:
    output = '<tool_call>{"arguments": {"z": 1.50, "a": 1e3, "n": 12345678901234567890}, "name": "f"}</tool_call>'
    family = next(family for family in FAMILIES if family.parser == "qwen3")
    assert read(parser_for(family), output).tool_calls[0].arguments == '{"z":1.50,"a":1e3,"n":12345678901234567890}'


def test_a_marker_inside_of_a_string_ends_nothing() -> None:
    call: Call = ("get_weather", {"city": 'a</tool_call>"\\', "days": 1})
    for family in FAMILIES:
        if family.parser in ("qwen3", "ministral", "cohere"):
            assert understood(read(parser_for(family), family.output(thought=_hm(family), calls=[call]))) == meant(
                [call]
            )


def test_a_quotation_mark_in_a_string_of_pythons_is_none_of_jsons() -> None:
    call: Call = ("get_weather", {"city": '5" pipe, it is', "days": 1})
    for family in FAMILIES:
        if family.parser in ("lfm2", "olmo3"):
            assert understood(read(parser_for(family), family.output(calls=[call]))) == meant([call])


def test_the_error_says_what_was_wrong_in_ollamas_words() -> None:
    family = next(family for family in FAMILIES if family.parser == "qwen3")
    with pytest.raises(ToolCallInvalid, match=r"^error parsing tool call: raw='\{\"name\": \}', err=.+"):
        read(parser_for(family), '<tool_call>\n{"name": }\n</tool_call>')


@calling
def test_a_long_output_is_read_in_time_that_grows_with_it(family: Family) -> None:
    arguments = {"city": "x" * 300_000, "detail": {"deep": ["{" * 1000, "<" * 1000, '"' * 1000]}}
    if "gemma" in family.parser or family.parser.startswith(("lfm2", "olmo")):
        arguments = {"city": "x" * 300_000}
    output = family.output(thought=_hm(family), text=" <" * 50_000 + "a", calls=[("get_weather", arguments)])
    parts = [output[start : start + 4] for start in range(0, len(output), 4)]
    piece = read(parser_for(family), *parts)
    assert len(json.loads(piece.tool_calls[0].arguments)["city"]) == 300_000
