"""What models can do, and which of their templates is used, by Ollama's rules."""

import msgspec
import pytest

from shared.capabilities import PARSERS, ModelTraits, TemplateChoice, capabilities_of, is_harmony, template_choice

GO_PLAIN = "{{ range .Messages }}{{ .Content }}{{ end }}"
GO_TOOLS = GO_PLAIN + "{{ .Tools }}"
GO_TOOL_RESULTS = GO_TOOLS + '{{ range .Messages }}{{ .ToolCalls }}{{ eq .Role "tool" }}{{ end }}'
GO_INSERT = "{{ .Prompt }}{{ .Suffix }}"
JINJA_PLAIN = "{{ messages }}"
JINJA_TOOLS = "{{ tools }}"
JINJA_TOOL_RESULTS = "{{ tools }} tool_calls ipython"
JINJA_THINKS = "<think></think>"
JINJA_BOTH = JINJA_TOOL_RESULTS + JINJA_THINKS
HARMONY = "<|start|>{{ .Prompt }}<|end|>"


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (ModelTraits(), ("completion",)),
        (ModelTraits(is_embedding=True), ("embedding",)),
        (ModelTraits(has_vision=True), ("completion", "vision")),
        (ModelTraits(has_audio=True), ("completion", "audio")),
        (ModelTraits(projector_audio=False), ("completion", "vision")),
        (ModelTraits(projector_audio=True), ("completion", "vision", "audio")),
        (ModelTraits(projector_audio=True, families=("nemotron_h_omni",)), ("completion", "vision")),
        (ModelTraits(template=GO_TOOLS), ("completion", "tools")),
        (ModelTraits(template=GO_INSERT), ("completion", "insert")),
        (ModelTraits(template="{{ .Tools }"), ("completion",)),
        (ModelTraits(jinja=JINJA_BOTH), ("tools", "thinking", "completion")),
        (ModelTraits(jinja=JINJA_BOTH, has_vision=True), ("tools", "thinking", "completion", "vision")),
        (ModelTraits(template=GO_TOOLS, jinja=JINJA_PLAIN), ("completion", "tools")),
        (ModelTraits(template=GO_TOOLS, jinja=JINJA_BOTH), ("tools", "thinking", "completion")),
        (ModelTraits(template=GO_INSERT, jinja=JINJA_PLAIN), ("completion", "insert")),
        (ModelTraits(parser="qwen3-thinking"), ("completion", "tools", "thinking")),
        (ModelTraits(parser="olmo3"), ("completion", "tools")),
        (ModelTraits(parser="unheard-of"), ("completion",)),
        (ModelTraits(families=("gptoss",)), ("completion", "thinking")),
        (ModelTraits(listed=("vision", "custom")), ("vision", "custom", "completion")),
        (ModelTraits(listed=("completion",), has_vision=True), ("completion", "vision")),
    ],
)
def test_capabilities_come_in_ollamas_order_each_once(model: ModelTraits, names: tuple[str, ...]) -> None:
    assert capabilities_of(model) == names


def test_the_listing_of_all_models_does_not_look_into_their_files() -> None:
    assert capabilities_of(ModelTraits(jinja=JINJA_BOTH), with_jinja=False) == ("completion",)
    assert capabilities_of(ModelTraits(template=GO_TOOLS, jinja=JINJA_BOTH), with_jinja=False) == (
        "completion",
        "tools",
    )


@pytest.mark.parametrize(
    ("template", "jinja", "choice"),
    [
        (None, None, "go"),
        (None, "", "go"),
        (None, JINJA_PLAIN, "jinja"),
        (GO_PLAIN, None, "go"),
        (GO_PLAIN, JINJA_PLAIN, "go"),
        # The file's template does more.
        (GO_PLAIN, JINJA_TOOLS, "jinja"),
        (GO_PLAIN, JINJA_THINKS, "jinja"),
        (GO_TOOLS, JINJA_BOTH, "jinja"),
        # It does more, but only the other one shows the results of tools.
        (GO_TOOL_RESULTS, JINJA_TOOLS + JINJA_THINKS, "go"),
        (GO_TOOL_RESULTS, JINJA_BOTH, "jinja"),
        # Both do the same, and one alone shows the results of tools.
        (GO_TOOLS, JINJA_TOOLS, "go"),
        (GO_TOOLS, JINJA_TOOL_RESULTS, "jinja"),
        (GO_TOOL_RESULTS, JINJA_TOOL_RESULTS, "go"),
        # It does less, or something else.
        (GO_TOOLS, JINJA_PLAIN, "go"),
        (GO_TOOLS, JINJA_THINKS, "go"),
        (GO_INSERT, JINJA_TOOL_RESULTS, "go"),
    ],
)
def test_the_files_template_is_used_when_it_does_more(template: str | None, jinja: str | None, choice: str) -> None:
    assert template_choice(ModelTraits(template=template, jinja=jinja)) == choice


def test_a_file_template_stands_in_for_a_renderer() -> None:
    model = ModelTraits(template=GO_TOOLS, jinja=JINJA_PLAIN, renderer="qwen3-coder", parser="qwen3-coder")
    assert template_choice(model) is TemplateChoice.JINJA
    assert template_choice(msgspec.structs.replace(model, jinja=None)) is TemplateChoice.GO


def test_a_parser_keeps_the_models_template() -> None:
    model = ModelTraits(template=GO_PLAIN, jinja=JINJA_BOTH, parser="qwen3")
    assert template_choice(model) is TemplateChoice.GO
    assert template_choice(msgspec.structs.replace(model, template=None)) is TemplateChoice.JINJA


def test_gpt_oss_keeps_a_harmony_template() -> None:
    model = ModelTraits(template=HARMONY, jinja=JINJA_BOTH, families=("gpt-oss",))
    assert is_harmony(model)
    assert template_choice(model) is TemplateChoice.GO
    other = msgspec.structs.replace(model, families=("llama",))
    assert not is_harmony(other)
    assert template_choice(other) is TemplateChoice.JINJA


def test_a_parser_adds_what_it_finds_to_both_templates() -> None:
    for template, jinja in ((GO_PLAIN, None), (None, JINJA_PLAIN)):
        names = capabilities_of(ModelTraits(template=template, jinja=jinja, parser="deepseek3"))
        assert names == ("completion", "tools", "thinking")


def test_every_parser_but_one_finds_something() -> None:
    assert [name for name, parser in PARSERS.items() if not parser.tools and not parser.thinking] == ["passthrough"]
