"""Which format a model writes, by the parser its config names or by the marks in its template."""

import pytest

from services.worker.output import formats
from services.worker.output.choosing import format_of
from services.worker.output.formats import PARSERS, Format, Thinking

GO_TOOLS = "{{ if .Tools }}{{ .Tools }}{{ end }}{{ range .Messages }}"


def shown(template: str, *, is_go: bool = False) -> Format:
    return format_of("", template, is_go=is_go)


@pytest.mark.parametrize(
    ("template", "calls_of"),
    [
        ("<|start|>assistant<|channel|>final<|message|>", formats.HARMONY),
        ('<|message|><atem:invoke name="', formats.GLIMMER),
        ("<|tool_call>call:{{ name }}", formats.GEMMA4),
        ("<start_function_call>call:", formats.FUNCTIONGEMMA),
        ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>", formats.DEEPSEEK),
        ("<|START_ACTION|>[", formats.COHERE),
        ("[TOOL_CALLS]", formats.MISTRAL),
        ("<|tool_call_start|>[", formats.LFM2),
        ("<function_calls>", formats.OLMO),
        ("<seed:tool_call>\n<function=", formats.SEED),
        ("<tool_call>\n<function=", formats.XML),
        ("<tool_call>{{ name }}<arg_key>", formats.XML),
        ("<tool_call>\n{", formats.HERMES),
        ("<|tool_call|>[", formats.GRANITE),
        ("<|python_tag|>", formats.LLAMA),
        ("{% if tools %}{{ tools | tojson }}{% endif %}", formats.BARE_JSON),
        ("{{ messages }}", formats.PLAIN),
    ],
)
def test_a_template_shows_the_format_by_its_marks(template: str, calls_of: Format) -> None:
    found = shown(template)
    assert (found.calls, found.messages) == (calls_of.calls, calls_of.messages)


@pytest.mark.parametrize(
    ("template", "closing"),
    [
        ("<think></think>", "</think>"),
        ("content.split('</think>')", "</think>"),
        ("[THINK] [/THINK] [TOOL_CALLS]", "[/THINK]"),
        ("<|START_THINKING|><|END_THINKING|><|START_ACTION|>", "<|END_THINKING|>"),
        ("<|channel>thought <channel|>", "<channel|>"),
        ("<seed:think></seed:think>", "</seed:think>"),
    ],
)
def test_a_template_shows_how_thoughts_are_marked(template: str, closing: str) -> None:
    thinking = shown(template).thinking
    assert thinking is not None
    assert thinking.closing == closing


def test_a_go_template_shows_its_own_tags_around_thoughts_and_before_calls() -> None:
    inside = "{{ if .Thinking }}<t>{{ .Thinking }}</t>{{ end }}{{ if .ToolCalls }}<toolcall>{{ .ToolCalls }}{{ end }}"
    found = shown(GO_TOOLS + inside + "{{ end }}", is_go=True)
    assert found.thinking == Thinking("<t>", "</t>", is_certain=False)
    assert [section.opening for section in found.calls] == ["<toolcall>"]
    assert found.around_calls == ("</toolcall>",)
    assert shown(GO_TOOLS + "{{ .Content }}{{ end }}", is_go=True).calls == formats.BARE_JSON.calls
    assert shown("{{ .Prompt }}", is_go=True) == formats.PLAIN


def test_the_parser_that_a_config_names_wins_and_one_that_is_unknown_does_not() -> None:
    assert format_of("lfm2", "<tool_call>", is_go=False) is PARSERS["lfm2"]
    assert format_of("passthrough", "<tool_call><think></think>", is_go=False) == formats.PLAIN
    assert format_of("nobody", "<tool_call>", is_go=False).calls == formats.HERMES.calls
