"""Where images stand in a prompt: a marker for each, in order, which the engine replaces by what the model sees.

Only our markers may look like one. A client's words that do are changed by one space, so that no text moves an image.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from shared.errors import ParameterInvalid
from shared.generation import ChatPrompt, Message, ToolCall

IMAGE_MARKER: Final = "<__media__>"
"""Source: llama.cpp `tools/mtmd/mtmd.cpp`, mtmd_default_marker."""
_HARMLESS: Final = "< __media__>"
_PLACEHOLDER: Final = "[img]"
"""Where a client's text wants the next of its images to stand. Source: Ollama `server/prompt.go`."""


def with_markers(prompt: ChatPrompt) -> ChatPrompt:
    """The prompt with a marker in the text for each image; without images it is the prompt itself."""
    if not any(message.images for message in prompt.messages):
        return prompt
    return msgspec.structs.replace(
        prompt,
        messages=tuple(_marked(message) for message in prompt.messages),
        tools=_harmless_tools(prompt.tools),
    )


def check_markers(rendered: str, messages: Sequence[Message]) -> None:
    """Raises: ParameterInvalid when the template left images out, or showed some twice."""
    images_count = sum(len(message.images) for message in messages)
    if images_count and rendered.count(IMAGE_MARKER) != images_count:
        raise ParameterInvalid("the model's chat template does not show each image of this conversation once")


def _marked(message: Message) -> Message:
    return msgspec.structs.replace(
        message,
        content=_placed(_harmless(message.content), len(message.images)),
        thinking=_harmless(message.thinking),
        tool_calls=tuple(_harmless_call(call) for call in message.tool_calls),
        tool_name=_harmless(message.tool_name),
        tool_call_id=_harmless(message.tool_call_id),
    )


def _placed(content: str, images_count: int) -> str:
    """Markers in the places the text holds free, from the first on; the rest in front of it."""
    in_text = min(images_count, content.count(_PLACEHOLDER))
    return IMAGE_MARKER * (images_count - in_text) + content.replace(_PLACEHOLDER, IMAGE_MARKER, in_text)


def _harmless(text: str) -> str:
    return text.replace(IMAGE_MARKER, _HARMLESS)


def _harmless_call(call: ToolCall) -> ToolCall:
    return ToolCall(_harmless(call.name), _harmless(call.arguments), _harmless(call.call_id))


def _harmless_tools(tools: Sequence[Mapping[str, Any]]) -> tuple[dict[str, object], ...]:
    harmless = msgspec.json.encode(tools).replace(IMAGE_MARKER.encode(), _HARMLESS.encode())
    return msgspec.json.decode(harmless, type=tuple[dict[str, object], ...])
