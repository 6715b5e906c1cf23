"""What a message of OpenAI's holds: texts, pictures and sound. Pure.

A picture's `detail` does nothing: a model sees its pictures in the one size that it was made for.
Source: OpenAI's API reference; Ollama `openai/openai.go` (FromChatRequest, decodeImageURL) for formats and texts.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import msgspec

from shared.errors import ParameterInvalid

PART_SEPARATOR: Final = "\n\n"
"""Between the texts of one message; Ollama makes messages of them, which its templates join again in this way."""
_IMAGE_HEADS: Final = ("data:;base64,", *(f"data:image/{kind};base64," for kind in ("jpeg", "jpg", "png", "webp")))
_GO_TYPES: Final = {bool: "bool", int: "float64", float: "float64", dict: "map[string]interface {}"}


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """All parts of one message. `files` are the bytes of its pictures and sounds, in their order."""

    text: str = ""
    files: tuple[bytes, ...] = ()
    has_images: bool = False
    has_sound: bool = False


def read_content(value: object) -> Content:
    """A text, or a list of parts of any kind.

    Raises: ParameterInvalid.
    """
    match value:
        case str():
            return Content(text=value)
        case list():
            return joined(tuple(_part(item) for item in value))
        case None:
            raise ParameterInvalid("invalid message content type: <nil>")
    raise ParameterInvalid(f"invalid message content type: {_GO_TYPES[type(value)]}")


def joined(parts: Sequence[Content]) -> Content:
    """The parts of a message as one; their texts keep their distance."""
    return Content(
        text=PART_SEPARATOR.join(part.text for part in parts if part.text),
        files=tuple(file for part in parts for file in part.files),
        has_images=any(part.has_images for part in parts),
        has_sound=any(part.has_sound for part in parts),
    )


def image_bytes(url: str) -> bytes:
    """The picture that a data URI holds; nothing is ever fetched.

    Raises: ParameterInvalid.
    """
    if url.startswith(("http://", "https://")):
        raise ParameterInvalid("image URLs are not currently supported, please use base64 encoded data instead")
    head = next((head for head in _IMAGE_HEADS if url.startswith(head)), None)
    picture = _from_base64(url[len(head) :]) if head else b""
    if not picture:
        raise ParameterInvalid("invalid image input")
    return picture


def sound_bytes(data: str) -> bytes:
    """The sound that is written as base64; its format is told by its first bytes.

    Raises: ParameterInvalid.
    """
    sound = _from_base64(data)
    if not sound:
        raise ParameterInvalid("invalid input_audio format")
    return sound


def _part(part: object) -> Content:
    match part:
        case {"type": "text", "text": str() as text} | {"type": "refusal", "refusal": str() as text}:
            return Content(text=text)
        case {"type": "image_url", "image_url": {"url": str() as url}} | {
            "type": "image_url",
            "image_url": str() as url,
        }:
            return Content(files=(image_bytes(url),), has_images=True)
        case {"type": "image_url"}:
            raise ParameterInvalid("invalid image input")
        case {"type": "input_audio", "input_audio": {"data": str() as data}}:
            return Content(files=(sound_bytes(data),), has_sound=True)
        case {"type": "input_audio"}:
            raise ParameterInvalid("invalid input_audio format")
        case {"type": "file"}:
            raise ParameterInvalid("file inputs are not currently supported")
    raise ParameterInvalid("invalid message format")


def _from_base64(text: str) -> bytes:
    """The bytes, none where they cannot be read; line ends do not matter, as to Go's decoder."""
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return b""
