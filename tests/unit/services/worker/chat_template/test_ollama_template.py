"""How Ollama executes Go templates: shapes of well-known models' templates, and the older per-turn kind."""

import pytest

from services.worker.chat_template.ollama_template import merged_messages, render_ollama_insert, render_ollama_template
from shared.errors import Kind, TemplateFailed
from shared.generation import InsertPrompt, Message, ToolCall

TALK = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Hello"),
    Message(role="assistant", content="Hi!"),
    Message(role="user", content="Bye"),
)

LLAMA3_LIKE = """{{- if or .System .Tools }}<|start_header_id|>system<|end_header_id|>
{{- if .System }}

{{ .System }}
{{- end }}
{{- if .Tools }}

Tools: {{ json .Tools }}
{{- end }}<|eot_id|>
{{- end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "system" }}{{ continue }}
{{- else if eq .Role "user" }}<|start_header_id|>user<|end_header_id|>

{{ .Content }}<|eot_id|>{{ if $last }}<|start_header_id|>assistant<|end_header_id|>

{{ end }}
{{- else if eq .Role "assistant" }}<|start_header_id|>assistant<|end_header_id|>
{{- if .ToolCalls }}
{{ range .ToolCalls }}{"name": "{{ .Function.Name }}"}{{ end }}
{{- else }}

{{ .Content }}
{{- end }}{{ if not $last }}<|eot_id|>{{ end }}
{{- end }}
{{- end }}"""

MISTRAL_LIKE = """{{- $lastUser := -1 }}
{{- range $index, $message := .Messages }}
{{- if eq $message.Role "user" }}{{ $lastUser = $index }}{{ end }}
{{- end }}
{{- range $index, $_ := .Messages }}
{{- if eq .Role "user" }}[INST] {{ if and (eq $lastUser $index) $.System }}{{ $.System }}

{{ end }}{{ .Content }}[/INST]
{{- else if eq .Role "assistant" }} {{ .Content }}</s>
{{- end }}
{{- end }}"""

GEMMA_LIKE = """{{- $systemText := "" }}
{{- range .Messages }}
{{- $role := "user" }}
{{- if eq .Role "system" }}
{{- if not $systemText }}{{ $systemText = .Content }}
{{- else }}{{ $systemText = printf "%s\\n\\n%s" $systemText .Content }}{{ end }}
{{- continue }}
{{- else if eq .Role "assistant" }}{{ $role = "model" }}
{{- end }}<start_of_turn>{{ $role }}
{{ if $systemText }}{{ $systemText }}

{{ $systemText = "" }}
{{- end }}{{ .Content }}<end_of_turn>
{{ end }}<start_of_turn>model
"""

PER_TURN = "{{ if .System }}<<{{ .System }}>> {{ end }}{{ if .Prompt }}[{{ .Prompt }}] {{ end }}{{ .Response }};\n"


def test_a_llama3_like_template_gives_headers_and_opens_the_last_turn() -> None:
    assert render_ollama_template(LLAMA3_LIKE, TALK) == (
        "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHi!<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_a_mistral_like_template_puts_the_system_text_before_the_last_user_message() -> None:
    assert render_ollama_template(MISTRAL_LIKE, TALK) == "[INST] Hello[/INST] Hi!</s>[INST] Be brief.\n\nBye[/INST]"


def test_a_gemma_like_template_folds_the_system_text_into_the_first_turn() -> None:
    assert render_ollama_template(GEMMA_LIKE, TALK) == (
        "<start_of_turn>user\nBe brief.\n\nHello<end_of_turn>\n"
        "<start_of_turn>model\nHi!<end_of_turn>\n"
        "<start_of_turn>user\nBye<end_of_turn>\n"
        "<start_of_turn>model\n"
    )


def test_an_older_template_runs_once_per_turn_and_stops_where_the_response_belongs() -> None:
    assert render_ollama_template(PER_TURN, TALK) == "<<Be brief.>> [Hello] Hi!;\n[Bye] "


def test_an_older_template_continues_an_assistants_beginning() -> None:
    assert render_ollama_template(PER_TURN, TALK[:3]) == "<<Be brief.>> [Hello] Hi!"


def test_what_follows_the_response_inside_blocks_is_cut_from_the_last_turn() -> None:
    source = "{{ if .Prompt }}({{ .Response }}){{ else }}never{{ end }}tail"
    assert render_ollama_template(source, TALK[1:]) == "(Hi!)tail("


def test_a_template_that_mentions_neither_messages_nor_response_gets_the_response_appended() -> None:
    assert render_ollama_template("{{ .Prompt }} -> ", TALK[1:]) == "Hello -> Hi!Bye -> "


def test_messages_are_found_behind_the_dollar_sign_too() -> None:
    assert render_ollama_template("{{ range $.Messages }}{{ .Content }}|{{ end }}", TALK) == "Be brief.|Hello|Hi!|Bye|"


def test_all_system_messages_are_the_system_text_and_stay_messages() -> None:
    messages = (*TALK, Message(role="system", content="Really."))
    source = "{{ .System }}/{{ len .Messages }}"
    assert render_ollama_template(source + "{{ if not .Messages }}{{ end }}", messages) == "Be brief.\n\nReally./5"


def test_neighbours_of_one_role_are_merged_but_tool_results_are_not() -> None:
    roles = [("user", "a"), ("user", "b"), ("tool", "c"), ("tool", "d"), ("user", "e")]
    merged = merged_messages([Message(role=role, content=content) for role, content in roles])
    assert [(message.role, message.content) for message in merged] == [
        ("user", "a\n\nb"),
        ("tool", "c"),
        ("tool", "d"),
        ("user", "e"),
    ]


def test_what_merged_messages_thought_called_and_showed_is_kept() -> None:
    first, second = ToolCall("a", "{}"), ToolCall("b", "{}")
    messages = [
        Message("assistant", "one", "hm", (first,), images=(b"1",)),
        Message("assistant", "", "so", (second,), images=(b"2",)),
    ]
    assert merged_messages(messages) == [Message("assistant", "one", "hm\n\nso", (first, second), images=(b"1", b"2"))]


def test_a_field_no_message_has_is_an_error() -> None:
    with pytest.raises(TemplateFailed, match=r"can't evaluate field Author in type template\.templateMessage"):
        render_ollama_template("{{ range .Messages }}{{ .Author }}{{ end }}", TALK)


def test_a_template_cut_in_a_chain_of_conditions_keeps_what_comes_before() -> None:
    source = "{{ if .System }}s{{ else if .Prompt }}<{{ .Response }}>{{ else if .X }}x{{ else }}y{{ end }}tail"
    assert render_ollama_template(source, TALK[1:]) == "<Hi!>tail<"


def test_a_template_cut_in_else_keeps_its_conditions() -> None:
    source = "{{ if .System }}s{{ else }}<{{ .Response }}>{{ end }}tail"
    assert render_ollama_template(source, TALK[1:]) == "<Hi!>tail<"


def test_a_template_cut_in_a_range_keeps_the_range() -> None:
    source = "{{ range 2 }}({{ $.Response }}{{ .Response }}){{ end }}tail"
    with pytest.raises(TemplateFailed, match="can't evaluate field Response in type int"):
        render_ollama_template(source, TALK[1:3])


@pytest.mark.parametrize("mention", ["{{ range .Messages }}{{ end }}", "{{ .Response }}"])
def test_templates_of_both_kinds_are_told_whether_and_how_hard_to_think(mention: str) -> None:
    source = "{{ .Think }},{{ .ThinkLevel }},{{ .IsThinkSet }}" + mention
    assert render_ollama_template(source, TALK[1:2]) == "false,,false"
    assert render_ollama_template(source, TALK[1:2], think="high") == "true,high,true"


def test_a_gap_is_shown_with_what_is_around_it_up_to_where_it_is_filled() -> None:
    source = "<pre>{{ .Prompt }}<suf>{{ .Suffix }}<mid>{{ .Response }}<end>{{ .Think }}"
    prompt = InsertPrompt(before="a", after="b", template=source)
    assert render_ollama_insert(source, prompt) == "<pre>a<suf>b<mid>"
    thinking = InsertPrompt(before="a", after="b", template="{{ .ThinkLevel }}", think=True)
    assert render_ollama_insert(thinking.template, thinking) == "medium"


def test_tools_are_shown_to_templates_that_ask_for_them() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "", "parameters": {"type": "object"}}}
    source = "{{ if .Tools }}{{ .Tools }}{{ end }}{{ range .Messages }}{{ .Content }}{{ end }}"
    assert render_ollama_template(source, TALK[1:2]) == "Hello"
    assert render_ollama_template(source, TALK[1:2], [tool]) == (
        '[{"type":"function","function":{"name":"f","description":"","parameters":{"type":"object","properties":{}}}}]Hello'
    )


def test_a_broken_template_fails_as_a_rendering() -> None:
    with pytest.raises(TemplateFailed) as caught:
        render_ollama_template("{{ .Prompt }", TALK)
    assert caught.value.kind is Kind.INTERNAL
    assert caught.value.message == 'template: :1: unexpected "}" in operand'
