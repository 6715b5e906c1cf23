"""Laws of formats that only templates show, and of what a schema binds: guesses that may turn out to be answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.model_outputs import TOOLS, read_or_error
from services.worker.output.formats import GRANITE, LLAMA, SEED, THINK, Format, tagged_with
from services.worker.output.json_calls import read_call_or_nothing
from services.worker.output.sections import CallSection, SectionedOutput, Sections
from services.worker.output.tools import Tools
from shared.generation import Piece

JUNK = (
    "<|python_tag|>", "<|tool_call|>", "<|/tool_call|>", "<seed:tool_call>", "</seed:tool_call>", "<toolcall>",
    "</toolcall>", "<think>", "</think>", '{"name": "clock", "arguments": {}}', '{"clock": {}}', "[", "]", "{", "}",
    '"', "\\", "clock", " ", "\n", "word",
)  # fmt: skip
outputs = st.lists(st.sampled_from(JUNK), max_size=10).map("".join)
FORMATS = (LLAMA, GRANITE, SEED, tagged_with("<toolcall>"), tagged_with("["))
CALL_OR_ANSWER = CallSection("", read_call_or_nothing, is_loose=True)


def read_in_parts(parser: SectionedOutput, output: str, cuts: list[int], *, is_cut: bool) -> Piece | str:
    parts = [output[start:end] for start, end in zip([0, *cuts], [*cuts, len(output)], strict=True)]
    return read_or_error(parser, *parts, is_cut=is_cut)


@pytest.mark.parametrize("output_format", FORMATS, ids=["llama", "granite", "seed", "tag", "list"])
@settings(max_examples=60)
@given(output=outputs, data=st.data(), is_cut=st.booleans())
def test_anything_gives_the_same_in_any_parts(
    output_format: Format, output: str, data: st.DataObject, is_cut: bool
) -> None:
    def parser() -> SectionedOutput:
        sections = Sections(THINK.opening, THINK.closing, output_format.calls, output_format.around_calls)
        return SectionedOutput(sections, Tools(TOOLS), opened=False, one_call=False)

    cuts = sorted(data.draw(st.lists(st.integers(0, len(output)), max_size=5)))
    whole = read_in_parts(parser(), output, [], is_cut=is_cut)
    assert read_in_parts(parser(), output, cuts, is_cut=is_cut) == whole
    assert read_in_parts(parser(), output, list(range(len(output))), is_cut=is_cut) == whole


@settings(max_examples=60)
@given(output=outputs, is_cut=st.booleans())
def test_what_is_no_call_is_the_answer_to_the_last_character(output: str, is_cut: bool) -> None:
    parser = SectionedOutput(Sections(), Tools(TOOLS), opened=False, one_call=False, whole=CALL_OR_ANSWER)
    piece = read_or_error(parser, *output, is_cut=is_cut)
    assert isinstance(piece, Piece)
    if not piece.tool_calls:
        assert piece.text == output
