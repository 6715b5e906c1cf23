"""How the answer to one prompt is to be written and read: chosen from the model's template, once for each prompt."""

from dataclasses import dataclass

from services.worker.output.parser import OutputParser, PlainText
from shared.generation import ChatPrompt


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


def reading_of(
    prompt: ChatPrompt,  # noqa: ARG001
    rendered: str,  # noqa: ARG001
    *,
    template: str,  # noqa: ARG001
    json_schema: str | None,
) -> Reading:
    """How to read the answer to `rendered`, which `template` wrote from `prompt`; `json_schema` is the caller's."""
    return Reading(PlainText(), json_schema=json_schema)
