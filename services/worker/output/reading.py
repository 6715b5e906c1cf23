"""How the answer to one prompt is to be written and read: chosen from the model's template, once for each prompt.

What binds the output (a JSON schema of the caller's, or a tool that must be called) leaves a thought free to be
thought first. Where a model may call tools and its answer has a schema, the output is an object that follows the
schema or one that is a call; which of them is known when it is complete, so that such an answer comes in one piece.
Tools that must be called win over a schema, since then there is no answer.
"""

import re
from dataclasses import dataclass
from typing import Final

from services.worker.output.choosing import format_of
from services.worker.output.forced import schema_of_calls
from services.worker.output.formats import Format, Thinking
from services.worker.output.json_calls import read_call_or_nothing, read_json_calls
from services.worker.output.messages import MessagesOutput
from services.worker.output.parser import OutputParser, PlainText
from services.worker.output.sections import CallSection, SectionedOutput, Sections
from services.worker.output.tools import Tools
from shared.generation import ChatPrompt

_CALL: Final = CallSection("", read_json_calls)
_CALL_OR_ANSWER: Final = CallSection("", read_call_or_nothing, is_loose=True)
_SPECIAL_TOKENS: Final = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")


@dataclass(frozen=True, slots=True)
class Reading:
    """`prompt_suffix` follows the rendered prompt, so that the answer begins where it should. `markers` are the special
    tokens that the parser has to see. `json_schema` binds the output, from the first `constrain_after` on if that is
    not empty.
    """

    parser: OutputParser
    prompt_suffix: str = ""
    markers: tuple[str, ...] = ()
    json_schema: str | None = None
    constrain_after: str = ""


def reading_of(prompt: ChatPrompt, rendered: str, *, template: str, json_schema: str | None) -> Reading:
    """How to read the answer to `rendered`, which `template` wrote from `prompt`; `json_schema` is the caller's."""
    is_go = template in (prompt.template, prompt.model_template)
    output, tools = format_of(prompt.model_parser, template, is_go=is_go), Tools(prompt.tools)
    if prompt.forced_tools:
        schema = schema_of_calls(prompt.forced_tools, tools)
        return _bound(prompt, rendered, output, schema, whole=_CALL, prefix=output.call_prefix)
    if json_schema is not None and tools and (output.calls or output.messages):
        schema = schema_of_calls(tools.names, tools, answer=json_schema)
        return _bound(prompt, rendered, output, schema, whole=_CALL_OR_ANSWER, prefix=output.answer_prefix)
    if json_schema is not None:
        return _bound(prompt, rendered, output, json_schema, whole=None, prefix=output.answer_prefix)
    return _free(prompt, rendered, output, tools)


def _free(prompt: ChatPrompt, rendered: str, output: Format, tools: Tools) -> Reading:
    """An answer that is what the model makes it."""
    if output.messages is not None:
        parser = MessagesOutput(output.messages, tools, one_call=prompt.one_tool_call)
        return Reading(parser, markers=output.messages.marks)
    sections = _sections(output, with_calls=bool(tools))
    if sections == Sections():
        return Reading(PlainText())
    is_open = _ends_in_thought(rendered, output.thinking)
    assumes_thought = output.thinks_first and not _ends_after_thought(rendered, output.thinking)
    in_thought = prompt.think is not False and (is_open or assumes_thought)
    return Reading(
        SectionedOutput(sections, tools, opened=in_thought, one_call=prompt.one_tool_call),
        "" if in_thought else _way_out(rendered, output.thinking),
        _markers(sections),
    )


def _bound(
    prompt: ChatPrompt, rendered: str, output: Format, json_schema: str, *, whole: CallSection | None, prefix: str
) -> Reading:
    """An answer that follows `json_schema`, read by `whole` and begun with `prefix`, but for a thought before it."""
    thinking = output.thinking
    is_open = _ends_in_thought(rendered, thinking)
    in_thought = thinking is not None and prompt.think is not False and (is_open or prompt.think is not None)
    sections = Sections() if thinking is None else Sections(thinking.opening, thinking.closing)
    parser = SectionedOutput(
        sections, Tools(prompt.tools), opened=in_thought, one_call=prompt.one_tool_call, whole=whole
    )
    markers = _markers(sections)
    if thinking is not None and in_thought:
        way_in = "" if is_open else thinking.opening + thinking.spacing
        return Reading(parser, way_in, markers, json_schema, constrain_after=thinking.closing)
    return Reading(parser, _way_out(rendered, thinking) + prefix, markers, json_schema)


def _sections(output: Format, *, with_calls: bool) -> Sections:
    thinking = output.thinking
    return Sections(
        thought_opening=thinking.opening if thinking is not None else "",
        thought_closing=thinking.closing if thinking is not None else "",
        thoughts_recur=thinking is not None and thinking.is_certain,
        calls=output.calls if with_calls else (),
        silent=(*output.silent, *(output.around_calls if with_calls else ())),
        calls_end_thoughts=output.calls_end_thoughts,
    )


def _markers(sections: Sections) -> tuple[str, ...]:
    """The special tokens in the marks of these sections."""
    calls = [mark for call in sections.calls for mark in (call.opening, call.closing, *call.inner)]
    marks = (sections.thought_opening, sections.thought_closing, *sections.silent, *calls)
    return tuple(dict.fromkeys(token for mark in marks for token in _SPECIAL_TOKENS.findall(mark)))


def _ends_in_thought(rendered: str, thinking: Thinking | None) -> bool:
    return thinking is not None and rendered.rstrip().endswith(thinking.opening)


def _ends_after_thought(rendered: str, thinking: Thinking | None) -> bool:
    return thinking is not None and rendered.rstrip().endswith(thinking.closing)


def _way_out(rendered: str, thinking: Thinking | None) -> str:
    """What closes the thought that a prompt opens although there is to be none."""
    if thinking is None or not _ends_in_thought(rendered, thinking):
        return ""
    before = thinking.spacing * (1 if rendered.endswith("\n") else 2)
    return before + thinking.closing + thinking.spacing * 2
