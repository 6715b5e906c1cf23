"""What models of every family write when they think, answer and call tools: their formats, the other way round."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.worker.output.parser import OutputParser
from services.worker.output.reading import reading_of
from shared.errors import ToolCallInvalid
from shared.generation import ChatPrompt, Piece, ToolCall, joined

Call = tuple[str, Mapping[str, Any]]
"""A tool's name and its arguments."""

WEATHER: dict[str, object] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer"},
                "units": {"type": ["string", "null"]},
                "detail": {"type": "object"},
            },
            "required": ["city"],
        },
    },
}
CLOCK: dict[str, object] = {"type": "function", "function": {"name": "clock"}}
FORECAST: dict[str, object] = {
    "type": "function",
    "function": {
        "name": "forecast",
        "description": "Tells the weather of the next days.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "maxLength": 20},
                "days": {"type": "integer", "minimum": 1, "maximum": 9},
            },
            "required": ["city", "days"],
        },
    },
}
"""Its arguments cannot be long, whatever a model without training says."""
TOOLS = (WEATHER, CLOCK)

CALLS: tuple[Call, ...] = (
    ("get_weather", {"city": "São Paulo, it's {here} [now]", "days": 3, "detail": {"wind": [1, 2.5], "sun": True}}),
    ("clock", {}),
)


@dataclass(frozen=True)
class Family:
    """How the models of one `parser` write. `thought` is empty for those that do not think."""

    parser: str
    calls: Callable[[Sequence[Call]], str] | None
    thought: str = ""  # with {} for the thought itself
    answer: str = "{}"

    def output(self, *, thought: str = "", text: str = "", calls: Sequence[Call] = ()) -> str:
        parts = [
            self.thought.format(thought) if thought else "",
            self.answer.format(text) if text else "",
            self.calls(calls) if self.calls and calls else "",
        ]
        return "".join(parts)


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def hermes(calls: Sequence[Call]) -> str:
    return "\n".join(
        f"<tool_call>\n{as_json({'name': name, 'arguments': arguments})}\n</tool_call>" for name, arguments in calls
    )


def coder(calls: Sequence[Call]) -> str:
    return "\n".join(
        f"<tool_call>\n<function={name}>\n"
        + "".join(f"<parameter={key}>\n{_bare(value)}\n</parameter>\n" for key, value in arguments.items())
        + "</function>\n</tool_call>"
        for name, arguments in calls
    )


def glm(calls: Sequence[Call]) -> str:
    return "\n".join(
        f"<tool_call>{name}\n"
        + "".join(
            f"<arg_key>{key}</arg_key>\n<arg_value>{_bare(value)}</arg_value>\n" for key, value in arguments.items()
        )
        + "</tool_call>"
        for name, arguments in calls
    )


def mistral(calls: Sequence[Call]) -> str:
    return "".join(f"[TOOL_CALLS]{name}[ARGS]{as_json(arguments)}" for name, arguments in calls)


def mistral_list(calls: Sequence[Call]) -> str:
    return "[TOOL_CALLS] " + as_json([{"name": name, "arguments": arguments} for name, arguments in calls])


def deepseek(calls: Sequence[Call]) -> str:
    written = "".join(
        f"<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>{as_json(arguments)}<｜tool▁call▁end｜>" for name, arguments in calls
    )
    return f"<｜tool▁calls▁begin｜>{written}<｜tool▁calls▁end｜>"


def deepseek_fenced(calls: Sequence[Call]) -> str:
    written = "\n".join(
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n{as_json(arguments)}\n```<｜tool▁call▁end｜>"
        for name, arguments in calls
    )
    return f"<｜tool▁calls▁begin｜>{written}<｜tool▁calls▁end｜>"


def cohere(calls: Sequence[Call]) -> str:
    actions = [
        {"tool_call_id": str(index), "tool_name": name, "parameters": arguments}
        for index, (name, arguments) in enumerate(calls)
    ]
    return f"<|START_ACTION|>{json.dumps(actions, ensure_ascii=False, indent=4)}<|END_ACTION|>"


def lfm2(calls: Sequence[Call]) -> str:
    return f"<|tool_call_start|>[{', '.join(map(_python, calls))}]<|tool_call_end|>"


def olmo(calls: Sequence[Call]) -> str:
    return "<function_calls>\n" + "\n".join(map(_python, calls)) + "\n</function_calls>"


def gemma4(calls: Sequence[Call]) -> str:
    return "".join(
        f"<|tool_call>call:{name}{_braces(arguments, '<|' + chr(34) + '|>')}<tool_call|>" for name, arguments in calls
    )


def functiongemma(calls: Sequence[Call]) -> str:
    return "".join(
        f"<start_function_call>call:{name}{_braces(arguments, '<escape>')}<end_function_call>"
        for name, arguments in calls
    )


def harmony(calls: Sequence[Call]) -> str:
    return "".join(
        f"<|start|>assistant<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>"
        f"{as_json(arguments)}<|call|>"
        for name, arguments in calls
    )


def glimmer(calls: Sequence[Call]) -> str:
    return "".join(
        f'<|start|>assistant to={name}<|message|><atem:function_calls>\n<atem:invoke name="{name}">\n'
        + "".join(f'<atem:parameter name="{key}">{_bare(value)}</atem:parameter>\n' for key, value in arguments.items())
        + "</atem:invoke>\n</atem:function_calls><|eom|>"
        for name, arguments in calls
    )


THINK = "<think>\n{}\n</think>\n\n"
HARMONY_THOUGHT = "<|channel|>analysis<|message|>{}<|end|>"
HARMONY_ANSWER = "<|start|>assistant<|channel|>final<|message|>{}<|end|>"
GLIMMER_THOUGHT = " to=self<|message|>{}<|eom|>"
GLIMMER_ANSWER = "<|start|>assistant to=user<|message|>{}<|eom|>"

FAMILIES = (
    Family("cogito", deepseek_fenced, THINK),
    Family("cohere", cohere, "{}<|END_THINKING|>", "<|START_TEXT|>{}<|END_TEXT|>"),
    Family("deepseek3", deepseek, "{}</think>"),
    Family("functiongemma", functiongemma),
    Family("gemma4", gemma4, "<|channel>thought\n{}\n<channel|>"),
    Family("gemma4-no-thinking", gemma4),
    Family("glimmer", glimmer, GLIMMER_THOUGHT, GLIMMER_ANSWER),
    Family("glm-4.7", glm, "{}</think>\n"),
    Family("glm-ocr", glm),
    Family("harmony", harmony, HARMONY_THOUGHT, HARMONY_ANSWER),
    Family("laguna", glm, THINK),
    Family("laguna", hermes, THINK),
    Family("lfm2", lfm2),
    Family("lfm2-thinking", lfm2, THINK),
    Family("ministral", mistral, "[THINK]{}[/THINK]"),
    Family("ministral", mistral_list, "[THINK]{}[/THINK]"),
    Family("nemotron-3-nano", coder, "{}\n</think>\n"),
    Family("nemotron-3.5-nano", coder, "{}\n</think>\n"),
    Family("olmo3", olmo),
    Family("olmo3-think", None, "{}</think>"),
    Family("ornith", coder, THINK),
    Family("passthrough", None),
    Family("poolside-v1", glm, THINK),
    Family("qwen3", hermes),
    Family("qwen3-coder", coder),
    Family("qwen3-thinking", hermes, "{}\n</think>\n\n"),
    Family("qwen3-vl-instruct", hermes),
    Family("qwen3-vl-thinking", hermes, "{}\n</think>\n\n"),
    Family("qwen3.5", coder, THINK),
)


def parser_for(
    family: Family, *, tools: Sequence[dict[str, object]] = TOOLS, one_tool_call: bool = False
) -> OutputParser:
    prompt = ChatPrompt(
        messages=(),
        tools=tuple(tools),
        one_tool_call=one_tool_call,
        think=True if family.thought else None,
        model_parser=family.parser,
    )
    return reading_of(prompt, "prompt", template="", json_schema=None).parser


def read(parser: OutputParser, *parts: str, is_cut: bool = False) -> Piece:
    """All that the parser makes of an output, without the ids of calls, which are random."""
    pieces = [parser.feed(part) for part in parts]
    whole = joined([*pieces, parser.finish(is_cut=is_cut)])
    return Piece(whole.text, whole.thinking, tuple(ToolCall(call.name, call.arguments) for call in whole.tool_calls))


def read_or_error(parser: OutputParser, *parts: str, is_cut: bool = False) -> Piece | str:
    try:
        return read(parser, *parts, is_cut=is_cut)
    except ToolCallInvalid as error:
        return error.message


def meant(calls: Sequence[Call]) -> list[tuple[str, list[tuple[str, Any]]]]:
    return [(name, list(arguments.items())) for name, arguments in calls]


def understood(piece: Piece) -> list[tuple[str, list[tuple[str, Any]]]]:
    return [(call.name, list(json.loads(call.arguments).items())) for call in piece.tool_calls]


def _bare(value: object) -> str:
    return value if isinstance(value, str) else as_json(value)


def _python(call: Call) -> str:
    name, arguments = call
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def _braces(value: object, mark: str) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_braces(item, mark)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_braces(item, mark) for item in value) + "]"
    return f"{mark}{value}{mark}" if isinstance(value, str) else as_json(value)
