"""Is this a picture that may be decoded? Looks at the first bytes only, so that no decoder meets what it may not. Pure.

llama.cpp hands what it does not know to a program for films; so only known formats get that far. Formats and sizes are
those of their specifications: PNG (ISO 15948), JPEG (ITU T.81), GIF89a, BMP.
"""

import struct
from collections.abc import Sequence
from typing import Final

from shared.errors import ParameterInvalid

IMAGES_MAX: Final = 64
"""Pictures of one prompt."""

IMAGE_BYTES_MAX: Final = 32 << 20

IMAGE_PIXELS_MAX: Final = 1 << 26
"""Decoded, a picture takes 3 bytes a pixel; a small file can claim billions of them."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_BMP_HEADER_OLD_BYTES: Final = 12
_JPEG_SIZED: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG segments that hold the size: those that begin a frame."""
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG markers without a length."""


def check_images(images: Sequence[bytes]) -> None:
    """Raises: ParameterInvalid when there are too many, or one of them is no picture that can be decoded safely."""
    if len(images) > IMAGES_MAX:
        raise ParameterInvalid(f"the prompt holds {len(images)} images; at most {IMAGES_MAX} are allowed")
    for number, image in enumerate(images, 1):
        if problem := _problem(image):
            raise ParameterInvalid(f"image {number} cannot be read: {problem}")


def _problem(image: bytes) -> str:
    """What is wrong with it; empty when nothing is."""
    if len(image) > IMAGE_BYTES_MAX:
        return f"it has {len(image)} bytes, more than the {IMAGE_BYTES_MAX} allowed"
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "WebP is not supported; send it as PNG or JPEG"
    if _is_sound(image):
        return "sound is not supported"
    try:
        size = pixels_of(image)
    except (struct.error, IndexError):
        return "it ends too early"
    if size is None:
        return "it is not a PNG, JPEG, GIF or BMP picture"
    width, height = size
    if width < 1 or height < 1:
        return "it is damaged"
    if width * height > IMAGE_PIXELS_MAX:
        return f"it has {width} x {height} pixels, more than the {IMAGE_PIXELS_MAX} allowed"
    return ""


def _is_sound(data: bytes) -> bool:
    """Whether it is a WAV or MP3 file."""
    is_wav = data[:4] == b"RIFF" and data[8:12] == b"WAVE"
    is_mp3 = data[:3] == b"ID3" or (data[:1] == b"\xff" and data[1:2] >= b"\xe0")
    return is_wav or is_mp3


def pixels_of(image: bytes) -> tuple[int, int] | None:
    """Width and height as the file claims them; None when it is of no known format.

    Raises: struct.error, IndexError when the file ends before it says.
    """
    if image.startswith(_PNG):
        width, height = struct.unpack_from(">II", image, 16)
    elif image.startswith((b"GIF87a", b"GIF89a")):
        width, height = struct.unpack_from("<HH", image, 6)
    elif image.startswith(b"BM"):
        old = struct.unpack_from("<I", image, 14)[0] == _BMP_HEADER_OLD_BYTES
        width, height = struct.unpack_from("<HH" if old else "<ii", image, 18)
    elif image.startswith(b"\xff\xd8\xff"):
        return _jpeg_pixels(image)
    else:
        return None
    return abs(width), abs(height)


def _jpeg_pixels(image: bytes) -> tuple[int, int] | None:
    """Walk the segments to the one that begins the frame; None when the picture begins without one."""
    offset = 2
    while image[offset] == 0xFF:
        kind = image[offset + 1]
        if kind in _JPEG_SIZED:
            height, width = struct.unpack_from(">HH", image, offset + 5)
            return width, height
        if kind == 0xFF:
            offset += 1  # markers may be padded
        elif kind in _JPEG_BARE:
            offset += 2
        else:
            offset += 2 + int(struct.unpack_from(">H", image, offset + 2)[0])
    return None
