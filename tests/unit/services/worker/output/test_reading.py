"""How the answer to a prompt is written and read: the suffix, the special tokens, the constraint."""

import json

import jsonschema
import pytest

from fakes.model_outputs import TOOLS, WEATHER, read, understood
from services.worker.output.parser import PlainText
from services.worker.output.reading import Reading, reading_of
from shared.generation import ChatPrompt, Piece, Think, ToolCall

HYBRID = "{% if tools %}<tool_call>{% endif %}<think></think>"
PLAIN_TOOLS = "{% if tools %}<tool_call>{% endif %}"
GPT_OSS = "<|start|>assistant<|channel|>final<|message|>{% if tools %}{% endif %}"
SCHEMA = '{"type":"object"}'
ANSWER = '{"a": "<think></tool_call>"}'
CALL = '{"name": "get_weather", "arguments": {"city": "Rome"}}'


def reading(
    template: str,
    *,
    rendered: str = "<|im_start|>assistant\n",
    think: Think = None,
    forced: tuple[str, ...] = (),
    schema: str | None = None,
    tools: tuple[dict[str, object], ...] | None = None,
) -> Reading:
    """Tools are offered unless a schema binds the answer."""
    if tools is None:
        tools = TOOLS if schema is None or forced else ()
    prompt = ChatPrompt(messages=(), tools=tools, think=think, forced_tools=forced)
    return reading_of(prompt, rendered, template=template, json_schema=schema)


def test_a_model_without_tools_and_thoughts_is_read_as_it_is() -> None:
    plain = reading("{{ messages }}")
    assert isinstance(plain.parser, PlainText)
    assert plain == Reading(plain.parser)
    assert isinstance(reading(PLAIN_TOOLS, tools=()).parser, PlainText)


def test_the_parser_gets_to_see_the_special_tokens_it_needs() -> None:
    markers = reading(HYBRID).markers
    assert {"<think>", "</think>", "<tool_call>", "</tool_call>"} <= set(markers)
    assert reading(HYBRID, tools=()).markers == ("<think>", "</think>")
    assert {"<|channel|>", "<|message|>", "<|end|>", "<|call|>"} <= set(reading(GPT_OSS).markers)
    gemma = reading("<|channel>thought<channel|><|tool_call>")
    assert {"<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", '<|"|>'} <= set(gemma.markers)


@pytest.mark.parametrize("rendered", ["a<think>", "a<think>\n", "a<think> \n"])
def test_a_thought_that_the_prompt_opens_is_one_or_is_closed(rendered: str) -> None:
    thinking = reading(HYBRID, rendered=rendered, think=True)
    assert thinking.prompt_suffix == ""
    assert read(thinking.parser, "hm</think>Hi") == Piece("Hi", "hm")
    closed = reading(HYBRID, rendered=rendered, think=False)
    assert (rendered + closed.prompt_suffix).endswith("\n</think>\n\n")
    assert read(closed.parser, "Hi") == Piece("Hi")


def test_a_parser_that_expects_a_thought_first_gets_it_unless_the_prompt_has_one() -> None:
    def named(rendered: str, think: Think) -> Piece:
        prompt = ChatPrompt(messages=(), think=think, model_parser="qwen3-thinking")
        return read(reading_of(prompt, rendered, template=HYBRID, json_schema=None).parser, "hm</think>Hi")

    assert named("assistant\n", True) == Piece("Hi", "hm")
    assert named("<think>\n\n</think>\n\n", True) == Piece("hm</think>Hi")
    assert named("assistant\n", False) == Piece("hm</think>Hi")


def test_an_answer_that_follows_a_schema_has_no_marks_but_those_of_a_thought() -> None:
    bound = reading(PLAIN_TOOLS, schema=SCHEMA)
    assert (bound.json_schema, bound.constrain_after, bound.prompt_suffix) == (SCHEMA, "", "")
    assert read(bound.parser, ANSWER) == Piece(ANSWER)


@pytest.mark.parametrize("think", [True, "high"])
def test_a_schema_binds_what_follows_the_thought(think: Think) -> None:
    for rendered, suffix in (("assistant\n", "<think>\n"), ("assistant\n<think>\n", "")):
        bound = reading(HYBRID, think=think, schema=SCHEMA, rendered=rendered)
        assert (bound.json_schema, bound.constrain_after, bound.prompt_suffix) == (SCHEMA, "</think>", suffix)
        assert read(bound.parser, f"hm\n</think>{ANSWER}") == Piece(ANSWER, "hm")


@pytest.mark.parametrize("think", [None, False])
def test_a_schema_binds_all_where_there_is_no_thought(think: Think) -> None:
    bound = reading(HYBRID, think=think, schema=SCHEMA)
    assert (bound.constrain_after, bound.prompt_suffix) == ("", "")
    assert read(bound.parser, ANSWER) == Piece(ANSWER)


def test_a_schema_closes_a_thought_that_nobody_asked_for() -> None:
    bound = reading(HYBRID, think=False, schema=SCHEMA, rendered="<think>\n")
    assert (bound.constrain_after, bound.prompt_suffix) == ("", "\n</think>\n\n")
    open_anyway = reading(HYBRID, think=None, schema=SCHEMA, rendered="<think>\n")
    assert open_anyway.constrain_after == "</think>"


def test_gpt_oss_thinks_in_a_message_of_its_own_or_answers_at_once() -> None:
    thinking = reading(GPT_OSS, think="low", schema=SCHEMA)
    assert (thinking.prompt_suffix, thinking.constrain_after) == ("<|channel|>analysis<|message|>", "<|end|>")
    assert read(thinking.parser, f"hm<|end|>{ANSWER}") == Piece(ANSWER, "hm")
    answering = reading(GPT_OSS, think=False, schema=SCHEMA)
    assert (answering.prompt_suffix, answering.constrain_after) == ("<|channel|>final<|message|>", "")


def test_where_tools_may_be_called_an_answer_with_a_schema_may_be_a_call_instead() -> None:
    bound = reading(PLAIN_TOOLS, schema=SCHEMA, tools=TOOLS)
    assert bound.json_schema is not None
    for value in ({"any": "object"}, json.loads(CALL)):
        jsonschema.validate(value, json.loads(bound.json_schema))
    assert len(json.loads(bound.json_schema)["anyOf"]) == len(TOOLS) + 1
    for output, piece in (
        (ANSWER, Piece(ANSWER)),
        ('{"name": "nobody", "arguments": {}}', Piece('{"name": "nobody", "arguments": {}}')),
        ("[1]", Piece("[1]")),
        ('"text', Piece('"text')),
        (CALL, Piece(tool_calls=(ToolCall("get_weather", '{"city":"Rome"}'),))),
    ):
        for parts in ([output], list(output)):
            assert read(reading(PLAIN_TOOLS, schema=SCHEMA, tools=TOOLS).parser, *parts) == piece
    cut = reading(PLAIN_TOOLS, schema=SCHEMA, tools=TOOLS).parser
    assert read(cut, ANSWER[:8], is_cut=True) == Piece(ANSWER[:8])


def test_a_forced_call_is_begun_for_the_model_and_told_as_a_call() -> None:
    forced = reading(PLAIN_TOOLS, forced=("get_weather",), schema=SCHEMA)
    assert forced.prompt_suffix == "<tool_call>\n"
    assert forced.json_schema is not None
    assert forced.json_schema != SCHEMA
    assert json.loads(forced.json_schema)["anyOf"][0]["properties"]["name"] == {"const": "get_weather"}
    for parts in ([CALL], list(CALL)):
        again = reading(PLAIN_TOOLS, forced=("get_weather",))
        assert understood(read(again.parser, *parts)) == [("get_weather", [("city", "Rome")])]


def test_a_forced_call_comes_after_the_thought() -> None:
    forced = reading(HYBRID, forced=("clock",), think=True, tools=(WEATHER,))
    assert (forced.prompt_suffix, forced.constrain_after) == ("<think>\n", "</think>")
    piece = read(forced.parser, 'hm</think>{"name":"clock","arguments":{}}')
    assert (piece.thinking, understood(piece)) == ("hm", [("clock", [])])


def test_a_forced_call_that_was_cut_off_is_dropped() -> None:
    assert read(reading(PLAIN_TOOLS, forced=("clock",)).parser, CALL[:30], is_cut=True) == Piece()
    assert read(reading(PLAIN_TOOLS, forced=("clock",)).parser, is_cut=True) == Piece()


def test_a_go_template_shows_what_stands_around_thoughts_and_before_calls() -> None:
    go = (
        "{{ if .Tools }}{{ .Tools }}{{ end }}{{ range .Messages }}{{ if .Thinking }}<t>{{ .Thinking }}</t>{{ end }}"
        "{{ if .ToolCalls }}<toolcall>{{ .ToolCalls }}{{ end }}{{ end }}"
    )
    prompt = ChatPrompt(messages=(), tools=TOOLS, model_template=go)
    found = reading_of(prompt, "prompt", template=go, json_schema=None)
    output = '<t>hm</t>Well.\n<toolcall>{"name": "clock", "parameters": {}}</toolcall>'
    piece = read(found.parser, output)
    assert (piece.text, piece.thinking, understood(piece)) == ("Well.", "hm", [("clock", [])])
