"""What a model can do, and which of its templates writes its prompts. Pure: Ollama's rules over known facts.

Source: Ollama `server/images.go` (Capabilities, shouldPreferChatTemplate), `server/routes.go` (chatModeForModel),
`types/model/capability.go`.
"""

from enum import StrEnum
from typing import Final

import msgspec

from shared.template_traits import TemplateTraits, go_traits, jinja_traits

GPT_OSS_FAMILIES: Final = frozenset({"gptoss", "gpt-oss"})
_HARMONY_MARKS: Final = ("<|start|>", "<|end|>")
_SILENT_FAMILY: Final = "nemotron_h_omni"
"""llama.cpp cannot use this family's audio encoder."""


class Capability(StrEnum):
    """The names Ollama's API uses."""

    COMPLETION = "completion"
    EMBEDDING = "embedding"
    VISION = "vision"
    AUDIO = "audio"
    TOOLS = "tools"
    INSERT = "insert"
    THINKING = "thinking"


class TemplateChoice(StrEnum):
    """GO: the model's TEMPLATE, or Ollama's default one. JINJA: the template in the model's file."""

    GO = "go"
    JINJA = "jinja"


class ModelTraits(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model before it runs.

    From its layers: `template`, and `projector_audio`, None without a projector, else whether a projector hears.
    From its config: `families` (all of them), `renderer`, `parser`, `listed` (its capabilities).
    From its file: `jinja`, `is_embedding` (`<arch>.pooling_type` is there), `has_vision`, `has_audio`
    (`<arch>.vision.block_count`, `<arch>.audio.block_count` are there).
    """

    template: str | None = None
    jinja: str | None = None
    families: tuple[str, ...] = ()
    renderer: str = ""
    parser: str = ""
    listed: tuple[str, ...] = ()
    is_embedding: bool = False
    has_vision: bool = False
    has_audio: bool = False
    projector_audio: bool | None = None


class ParserTraits(msgspec.Struct, frozen=True):
    """Whether a parser of Ollama's finds tool calls and thoughts in what a model writes."""

    tools: bool
    thinking: bool


_BOTH: Final = ParserTraits(tools=True, thinking=True)
_TOOLS: Final = ParserTraits(tools=True, thinking=False)
_THINKING: Final = ParserTraits(tools=False, thinking=True)
_NEITHER: Final = ParserTraits(tools=False, thinking=False)

PARSERS: Final[dict[str, ParserTraits]] = {
    "cogito": _BOTH,
    "cohere": _BOTH,
    "deepseek3": _BOTH,
    "functiongemma": _TOOLS,
    "gemma4": _BOTH,
    "gemma4-no-thinking": _TOOLS,
    "glimmer": _BOTH,
    "glm-4.7": _BOTH,
    "glm-ocr": _TOOLS,
    "harmony": _BOTH,
    "laguna": _BOTH,
    "lfm2": _TOOLS,
    "lfm2-thinking": _BOTH,
    "ministral": _TOOLS,
    "nemotron-3-nano": _BOTH,
    "nemotron-3.5-nano": _BOTH,
    "olmo3": _TOOLS,
    "olmo3-think": _THINKING,
    "ornith": _BOTH,
    "passthrough": _NEITHER,
    "poolside-v1": _BOTH,
    "qwen3": _TOOLS,
    "qwen3-coder": _TOOLS,
    "qwen3-thinking": _BOTH,
    "qwen3-vl-instruct": _TOOLS,
    "qwen3-vl-thinking": _BOTH,
    "qwen3.5": _BOTH,
}
"""A config's `parser`; any other name means no parser."""


def capabilities_of(model: ModelTraits, *, with_jinja: bool = True) -> tuple[str, ...]:
    """The names of what the model can do, in Ollama's order.

    Ollama's listing of all models looks at no file's Jinja template: there, say `with_jinja=False`.
    """
    if not with_jinja:
        model = msgspec.structs.replace(model, jinja=None)
    choice = template_choice(model)
    return _capabilities(model, _traits(model, choice), choice)


def template_choice(model: ModelTraits) -> TemplateChoice:
    """Which template writes the model's prompts.

    - A config that names a `renderer` means one that is built into Ollama. Here the file's own template stands in
      for it, and without one the TEMPLATE does, such as it is.
    - A config that names a `parser`, and a gpt-oss model with a harmony TEMPLATE, keep the TEMPLATE.
    - Otherwise the TEMPLATE is kept unless the file's template can do more.
    """
    if not model.jinja:
        return TemplateChoice.GO
    if model.renderer or model.template is None:
        return TemplateChoice.JINJA
    if model.parser or is_harmony(model):
        return TemplateChoice.GO
    return TemplateChoice.JINJA if _prefers_jinja(model) else TemplateChoice.GO


def is_harmony(model: ModelTraits) -> bool:
    """Whether the TEMPLATE writes, and the model answers in, the format of gpt-oss."""
    return not GPT_OSS_FAMILIES.isdisjoint(model.families) and all(
        mark in (model.template or "") for mark in _HARMONY_MARKS
    )


def _prefers_jinja(model: ModelTraits) -> bool:
    """Whether the file's template does more, or as much and alone shows the results of tools."""
    go, jinja = _traits(model, TemplateChoice.GO), _traits(model, TemplateChoice.JINJA)
    go_names = frozenset(_capabilities(model, go, TemplateChoice.GO))
    jinja_names = frozenset(_capabilities(model, jinja, TemplateChoice.JINJA))
    if len(jinja_names) > len(go_names):
        return jinja.tool_results or not go.tool_results
    return go_names == jinja_names and Capability.TOOLS in go_names and jinja.tool_results and not go.tool_results


def _traits(model: ModelTraits, choice: TemplateChoice) -> TemplateTraits:
    if choice is TemplateChoice.JINJA:
        return jinja_traits(model.jinja or "")
    return go_traits(model.template or "")


def _capabilities(model: ModelTraits, template: TemplateTraits, choice: TemplateChoice) -> tuple[str, ...]:
    """Everything the facts say, each name once, the config's own list first."""
    parser = PARSERS.get(model.parser, _NEITHER)
    by_template = (
        (Capability.TOOLS, template.tools),
        (Capability.INSERT, template.insert),
        (Capability.THINKING, template.thinking),
    )
    by_file = (
        (Capability.EMBEDDING, model.is_embedding),
        (Capability.COMPLETION, not model.is_embedding),
        (Capability.VISION, model.has_vision or model.projector_audio is not None),
        (Capability.AUDIO, model.has_audio or bool(model.projector_audio)),
    )
    named = (by_template, by_file) if choice is TemplateChoice.JINJA else (by_file, by_template)
    by_parser = ((Capability.TOOLS, parser.tools), (Capability.THINKING, parser.thinking))
    by_family = ((Capability.THINKING, not GPT_OSS_FAMILIES.isdisjoint(model.families)),)
    found = [name.value for facts in (*named, by_parser, by_family) for name, is_so in facts if is_so]
    silent = {Capability.AUDIO.value} if _SILENT_FAMILY in model.families else set()
    return tuple(name for name in dict.fromkeys((*model.listed, *found)) if name not in silent)
