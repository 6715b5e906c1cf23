"""What templates of both languages can do, and the tags found in them."""

import pytest

from shared.go_template import parse_template
from shared.template_traits import (
    TemplateTraits,
    ThinkingTags,
    go_thinking_tags,
    go_tool_tag,
    go_traits,
    identifiers,
    jinja_traits,
    thinking_tags,
)

THINKS = "{{ range .Messages }}{{ if .Thinking }}<think>\n{{ .Thinking }}\n</think>{{ end }}{{ .Content }}{{ end }}"
CALLS = (
    "{{ if .Tools }}{{ json .Tools }}{{ end }}{{ range .Messages }}{{ if .ToolCalls }}<tool_call>\n"
    '{{ range .ToolCalls }}{"name": "{{ .Function.Name }}"}{{ end }}'
    '{{ else if eq .Role "tool" }}{{ .Content }}{{ end }}{{ end }}'
)


def test_identifiers_are_found_wherever_they_stand() -> None:
    source = (
        '{{ define "t" }}{{ .A }}{{ end }}{{ range $.B }}{{ else }}{{ (index .C 0).D.E }}{{ end }}'
        '{{ if eq .F "g" }}{{ template "t" .H }}{{ end }}{{ with $x := .I }}{{ $x.J }}{{ else with .K }}{{ end }}'
        "{{ if .L }}{{ else if .M }}{{ end }}{{ print (len .N) | print .O }}"
    )
    assert identifiers(parse_template(source)) == set("abcdefhijklmno")


def test_a_go_template_can_what_its_fields_say() -> None:
    assert go_traits("{{ .Prompt }}") == TemplateTraits()
    assert go_traits("{{ .prompt }}{{ .Suffix }}").insert
    assert go_traits("{{ range $.TOOLS }}{{ end }}").tools
    assert go_traits(THINKS) == TemplateTraits(thinking=True)
    assert go_traits(CALLS) == TemplateTraits(tools=True, tool_results=True)
    assert go_traits(CALLS.replace(' eq .Role "tool"', " .X")) == TemplateTraits(tools=True)


def test_a_broken_go_template_can_nothing() -> None:
    assert go_traits("{{ .Tools }") == TemplateTraits()
    assert go_thinking_tags("{{ .Tools }") is None
    assert go_tool_tag("{{ .Tools }") == "{"


@pytest.mark.parametrize(
    ("inside", "tag"),
    [
        ("{{ if .ToolCalls }}<tool_call>\n{{ range .ToolCalls }}{{ .Function }}{{ end }}{{ end }}", "<tool_call>"),
        ('{{ if .A }}{{ else if $m.ToolCalls }} \n{{ range .ToolCalls }}[CALL] {"n"{{ end }}{{ end }}', "[CALL]"),
        ('{{ if and .ToolCalls .B }}{"name": "{{ .Function.Name }}"}{{ end }}', "{"),
        ("{{ if .ToolCalls }}{{ .ToolCalls }}<after>{{ end }}", "{"),
        ("{{ with .X }}{{ if .Tools }}<a>{{ end }}{{ if .ToolCalls }}<b>{{ end }}{{ end }}", "<b>"),
        ("{{ .ToolCalls }}<none>", "{"),
    ],
)
def test_the_tag_of_calls_is_the_first_text_where_calls_are_shown(inside: str, tag: str) -> None:
    assert go_tool_tag("{{ range $m := .Messages }}" + inside + "{{ end }}") == tag


@pytest.mark.parametrize(
    ("inside", "opening", "closing"),
    [
        ("{{ if .Thinking }}<think>\n{{ .Thinking }}\n</think>{{ end }}", "<think>", "</think>"),
        ("{{ with .X }} [THINK] {{ .Thinking }} [/THINK]\n{{ end }}", "[THINK]", "[/THINK]"),
        ("<t>{{ .Content }}{{ printf .Thinking }}</t>", "<t>", "</t>"),
        ("{{ if .A }}{{ else if .Thinking }}<t>{{ .Thinking }}</t>{{ end }}", "<t>", "</t>"),
    ],
)
def test_thinking_tags_are_the_texts_around_the_thoughts(inside: str, opening: str, closing: str) -> None:
    for head in (".Messages", "$i, $m := .Messages"):
        source = "{{ range " + head + " }}" + inside + "{{ end }}"
        assert thinking_tags(parse_template(source)) == ThinkingTags(opening, closing)


@pytest.mark.parametrize(
    "source",
    [
        "{{ range .Messages }}<t>{{ if .Thinking }}x{{ end }}</t>{{ end }}",
        "{{ range .Messages }}{{ .Thinking }}</t>{{ end }}",
        "{{ range .Messages }}{{ range .Parts }}<t>{{ .Thinking }}</t>{{ end }}{{ end }}",
        "{{ range .Messages }}<t>{{ .Message.Thinking }}</t>{{ end }}",
        "{{ range .Other }}<t>{{ .Thinking }}</t>{{ end }}",
        "<t>{{ .Thinking }}</t>",
    ],
)
def test_without_text_on_both_sides_there_are_no_thinking_tags(source: str) -> None:
    assert thinking_tags(parse_template(source)) is None


@pytest.mark.parametrize(
    ("source", "traits"),
    [
        ("{{ messages }}", TemplateTraits()),
        ("{% if tools %}", TemplateTraits(tools=True)),
        ("<tool_call>", TemplateTraits(tools=True)),
        ("<think>", TemplateTraits()),
        ("<think></think>", TemplateTraits(thinking=True)),
        ("content.split('</think>')[-1]", TemplateTraits(thinking=True)),
        ("content.split('</think>')[-1] reasoning_content", TemplateTraits()),
        ('<SPECIAL_12>content.split("</think>")', TemplateTraits()),
        ("tools tool_calls message['role'] == 'tool'", TemplateTraits(tools=True, tool_results=True)),
        ('tools tool_calls message.role == "tool"', TemplateTraits(tools=True, tool_results=True)),
        ("tool_calls <tool_response>", TemplateTraits(tools=True, tool_results=True)),
        ("tools message['role'] == 'tool'", TemplateTraits(tools=True)),
        ("tools tool_calls", TemplateTraits(tools=True)),
    ],
)
def test_a_jinja_template_can_what_its_text_says(source: str, traits: TemplateTraits) -> None:
    assert jinja_traits(source) == traits
