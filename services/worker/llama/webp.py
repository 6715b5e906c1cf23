"""WebP, which llama.cpp does not read: to the plain pixels that it takes instead.

An animation is its first frame; transparency is dropped, as llama.cpp drops that of a PNG.
"""

from io import BytesIO
from typing import NamedTuple

from PIL.WebPImagePlugin import WebPImageFile


class Pixels(NamedTuple):
    """`rgb` holds 3 bytes a pixel, row by row from the top."""

    width: int
    height: int
    rgb: bytes


def is_webp(image: bytes) -> bool:
    return image[:4] == b"RIFF" and image[8:12] == b"WEBP"


def pixels_of_webp(image: bytes) -> Pixels | None:
    """Decode a picture whose claimed size is known to be harmless; None when it is damaged."""
    try:
        with WebPImageFile(BytesIO(image)) as opened, opened.convert("RGB") as picture:
            return Pixels(*picture.size, picture.tobytes())
    except (OSError, EOFError, SyntaxError):
        return None
