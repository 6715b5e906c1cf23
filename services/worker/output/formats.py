"""The table of output formats: which marks each family of models writes, and who reads what stands between them.

Source: the chat templates of the families, and Ollama `model/parsers`.
"""

from dataclasses import dataclass, replace
from typing import Final

from services.worker.output import brace_calls, glimmer, harmony, named_calls, tagged_calls
from services.worker.output.json_calls import read_json_calls
from services.worker.output.messages import MessageFormat
from services.worker.output.name_scan import scan_for_calls
from services.worker.output.python_calls import read_python_calls
from services.worker.output.sections import CallSection


@dataclass(frozen=True, slots=True)
class Thinking:
    """What stands around a thought. `spacing` is what the models write between such a mark and the text.

    `is_certain` marks are special tokens that mean nothing else, wherever they stand.
    """

    opening: str
    closing: str
    spacing: str = ""
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Format:
    """What a model's output is made of: `messages`, or else sections.

    `silent` marks mean nothing to a reader; neither do those `around_calls`, where calls are read. A thought ends where
    a call begins, too, if `calls_end_thoughts`. The output begins with a thought if `thinks_first`, whatever the prompt
    ends with, unless thinking is off.
    `call_prefix` begins a call in JSON, and `answer_prefix` an answer, where the output is not free to do so.
    """

    thinking: Thinking | None = None
    calls: tuple[CallSection, ...] = ()
    silent: tuple[str, ...] = ()
    around_calls: tuple[str, ...] = ()
    calls_end_thoughts: bool = False
    thinks_first: bool = False
    call_prefix: str = ""
    answer_prefix: str = ""
    messages: MessageFormat | None = None


THINK: Final = Thinking("<think>", "</think>", spacing="\n", is_certain=False)
_SEED_THINK: Final = Thinking("<seed:think>", "</seed:think>")
_MISTRAL_THINK: Final = Thinking("[THINK]", "[/THINK]")
_COHERE_THINK: Final = Thinking("<|START_THINKING|>", "<|END_THINKING|>")
_GEMMA_THINK: Final = Thinking("<|channel>thought", "<channel|>", spacing="\n")
_HARMONY_THINK: Final = Thinking("<|channel|>analysis<|message|>", "<|end|>")
_GLIMMER_THINK: Final = Thinking(" to=self<|message|>", "<|eom|>")

THINKINGS: Final = (_GEMMA_THINK, _COHERE_THINK, _MISTRAL_THINK, _SEED_THINK, THINK)
"""How thoughts are marked in sections; a template that writes the closing mark is one of such a model."""

_TAGGED_CALL: Final = CallSection(
    "<tool_call>",
    tagged_calls.read_tagged_calls,
    closing="</tool_call>",
    inner=("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
)
_FUNCTION_CALL: Final = CallSection(
    tagged_calls.FUNCTION, tagged_calls.read_function, closing=tagged_calls.FUNCTION_END
)
_DEEPSEEK_CALL: Final = CallSection(
    "<｜tool▁call▁begin｜>",
    named_calls.read_deepseek_calls,
    closing="<｜tool▁call▁end｜>",
    inner=(named_calls.SEPARATOR,),
)
_LFM2_CALL: Final = CallSection("<|tool_call_start|>", read_python_calls, "<|tool_call_end|>")
_COHERE_CALL: Final = CallSection("<|START_ACTION|>", read_json_calls, "<|END_ACTION|>")
_GEMMA4_CALL: Final = CallSection(
    "<|tool_call>", brace_calls.read_gemma4_calls, closing="<tool_call|>", inner=(brace_calls.GEMMA4_STRING,)
)
_FUNCTIONGEMMA_CALL: Final = CallSection(
    "<start_function_call>",
    brace_calls.read_functiongemma_calls,
    closing="<end_function_call>",
    inner=(brace_calls.FUNCTIONGEMMA_STRING,),
)
_BARE_OBJECT: Final = CallSection("{", scan_for_calls, is_loose=True)
_BARE_LIST: Final = CallSection("[", scan_for_calls, is_loose=True)

HERMES: Final = Format(calls=(_TAGGED_CALL,), call_prefix="<tool_call>\n")
XML: Final = Format(calls=(_TAGGED_CALL, _FUNCTION_CALL), around_calls=("</tool_call>",))
SEED: Final = Format(
    calls=(CallSection("<seed:tool_call>", tagged_calls.read_tagged_calls, "</seed:tool_call>"),),
)
DEEPSEEK: Final = Format(calls=(_DEEPSEEK_CALL,), around_calls=("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"))
LFM2: Final = Format(calls=(_LFM2_CALL,))
OLMO: Final = Format(calls=(CallSection("<function_calls>", read_python_calls, "</function_calls>"),))
MISTRAL: Final = Format(
    calls=(CallSection("[TOOL_CALLS]", named_calls.read_mistral_calls, inner=(named_calls.ARGS, named_calls.CALL_ID)),)
)
COHERE: Final = Format(
    calls=(_COHERE_CALL,),
    silent=("<|START_TEXT|>", "<|END_TEXT|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|END_OF_TURN_TOKEN|>"),
    answer_prefix="<|START_TEXT|>",
)
GEMMA4: Final = Format(calls=(_GEMMA4_CALL,), around_calls=("<tool_call|>", "<|tool_response>"))
FUNCTIONGEMMA: Final = Format(calls=(_FUNCTIONGEMMA_CALL,), around_calls=("<start_function_response>",))
HARMONY: Final = Format(thinking=_HARMONY_THINK, messages=harmony.MESSAGES, answer_prefix="<|channel|>final<|message|>")
GLIMMER: Final = Format(thinking=_GLIMMER_THINK, messages=glimmer.MESSAGES, answer_prefix=" to=user<|message|>")
GRANITE: Final = Format(calls=(CallSection("<|tool_call|>", read_json_calls),), around_calls=("<|/tool_call|>",))
LLAMA: Final = Format(calls=(CallSection("<|python_tag|>", scan_for_calls, is_loose=True), _BARE_OBJECT))
BARE_JSON: Final = Format(calls=(_BARE_OBJECT,))
PLAIN: Final = Format()


def _thinking(base: Format, thinking: Thinking, *, first: bool = False, calls_end: bool = False) -> Format:
    return replace(base, thinking=thinking, thinks_first=first, calls_end_thoughts=calls_end)


PARSERS: Final[dict[str, Format]] = {
    "cogito": _thinking(DEEPSEEK, THINK),
    "cohere": _thinking(COHERE, _COHERE_THINK, first=True),
    "deepseek3": _thinking(DEEPSEEK, THINK, first=True),
    "functiongemma": FUNCTIONGEMMA,
    "gemma4": _thinking(GEMMA4, _GEMMA_THINK),
    "gemma4-no-thinking": GEMMA4,
    "glimmer": GLIMMER,
    "glm-4.7": _thinking(XML, THINK, first=True),
    "glm-ocr": XML,
    "harmony": HARMONY,
    "laguna": _thinking(XML, THINK, first=True, calls_end=True),
    "lfm2": LFM2,
    "lfm2-thinking": _thinking(LFM2, THINK),
    "ministral": _thinking(MISTRAL, _MISTRAL_THINK),
    "nemotron-3-nano": _thinking(XML, THINK, first=True, calls_end=True),
    "nemotron-3.5-nano": _thinking(XML, THINK, first=True, calls_end=True),
    "olmo3": OLMO,
    "olmo3-think": _thinking(PLAIN, THINK, first=True),
    "ornith": _thinking(XML, THINK, first=True),
    "passthrough": PLAIN,
    "poolside-v1": _thinking(XML, THINK, first=True, calls_end=True),
    "qwen3": HERMES,
    "qwen3-coder": XML,
    "qwen3-thinking": _thinking(HERMES, THINK, first=True),
    "qwen3-vl-instruct": HERMES,
    "qwen3-vl-thinking": _thinking(HERMES, THINK, first=True),
    "qwen3.5": _thinking(XML, THINK, first=True),
}
"""The formats that a model's config may name as its `parser`."""


def tagged_with(tag: str) -> Format:
    """For a Go template of which no more is known than what stands before a call."""
    if tag in ("{", "["):
        return Format(calls=(_BARE_OBJECT if tag == "{" else _BARE_LIST,))
    closing = (f"{tag[0]}/{tag[1:]}",) if tag[0] in "<[" else ()
    return Format(calls=(CallSection(tag, scan_for_calls, is_loose=True),), around_calls=closing)
