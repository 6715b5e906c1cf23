"""Is this a picture or a sound that may be decoded? Decided before a decoder meets what it may not. Pure.

llama.cpp hands what it does not know to a program for films; so only known formats get that far. Formats and sizes are
those of their specifications: PNG (ISO 15948), JPEG (ITU T.81), GIF89a, BMP, WebP (RFC 9649).
"""

import struct
from collections.abc import Sequence
from typing import Final

from services.worker.llama.sound_files import is_sound, sound_of
from services.worker.llama.webp import is_webp
from shared.errors import CapabilityMissing, ParameterInvalid

FILES_MAX: Final = 64
"""Pictures and sounds of one prompt."""

FILE_BYTES_MAX: Final = 32 << 20

IMAGE_PIXELS_MAX: Final = 1 << 26
"""Decoded, a picture takes 3 bytes a pixel; a small file can claim billions of them."""

PROMPT_PIXELS_MAX: Final = 1 << 28
"""All pictures of one prompt together; they are decoded before the first of them is encoded."""

PROMPT_SECONDS_MAX: Final = 3600.0
"""All sounds of one prompt together; read by Whisper's measure, a second takes some 170 kB."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_BMP_HEADER_OLD_BYTES: Final = 12
_JPEG_SIZED: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG segments that hold the size: those that begin a frame."""
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG markers without a length."""


def checked(files: Sequence[bytes], *, sees: bool, hears: bool) -> tuple[bytes, ...]:
    """The files in the form in which they may be decoded, for a model that `sees` or `hears`.

    Raises: CapabilityMissing when the model cannot take one in; ParameterInvalid when there are too many, or one of
    them is nothing that can be decoded safely.
    """
    if len(files) > FILES_MAX:
        raise ParameterInvalid(f"the prompt holds {len(files)} images; at most {FILES_MAX} are allowed")
    forms: list[bytes] = []
    pixels_count, seconds = 0, 0.0
    for number, file in enumerate(files, 1):
        what = "sound" if is_sound(file) else "image"
        try:
            if what == "sound":
                form, duration_s = _checked_sound(file, hears=hears)
                seconds += duration_s
            else:
                form = file
                pixels_count += _checked_pixels(file, sees=sees)
        except _Refused as refused:
            raise ParameterInvalid(f"{what} {number} cannot be read: {refused}") from refused
        except (struct.error, IndexError) as cause:
            raise ParameterInvalid(f"{what} {number} cannot be read: it ends too early") from cause
        forms.append(form)
    if pixels_count > PROMPT_PIXELS_MAX:
        raise ParameterInvalid(f"the images have {pixels_count} pixels, more than the {PROMPT_PIXELS_MAX} allowed")
    if seconds > PROMPT_SECONDS_MAX:
        raise ParameterInvalid(f"the sound lasts {seconds:.0f} s, more than the {PROMPT_SECONDS_MAX:.0f} allowed")
    return tuple(forms)


class _Refused(Exception):
    """Says what is wrong with a file."""


def _check_bytes(file: bytes) -> None:
    if len(file) > FILE_BYTES_MAX:
        raise _Refused(f"it has {len(file)} bytes, more than the {FILE_BYTES_MAX} allowed")


def _checked_sound(file: bytes, *, hears: bool) -> tuple[bytes, float]:
    """The sound's file to decode, and its seconds."""
    if not hears:
        raise CapabilityMissing("this model does not support audio input")
    _check_bytes(file)
    sound = sound_of(file)
    if sound is None:
        raise _Refused("it is damaged, or of a kind that is not supported")
    if sound.seconds == 0:
        raise _Refused("it holds no sound")
    return sound.file, sound.seconds


def _checked_pixels(image: bytes, *, sees: bool) -> int:
    """How many pixels the picture has."""
    _check_bytes(image)
    size = pixels_of(image)
    if size is None:
        raise _Refused("it is not a PNG, JPEG, GIF, BMP or WebP picture")
    if not sees:
        raise CapabilityMissing("this model does not support image input")
    width, height = size
    if width < 1 or height < 1:
        raise _Refused("it is damaged")
    if width * height > IMAGE_PIXELS_MAX:
        raise _Refused(f"it has {width} x {height} pixels, more than the {IMAGE_PIXELS_MAX} allowed")
    return width * height


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
    elif is_webp(image):
        return _webp_pixels(image)
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


def _webp_pixels(image: bytes) -> tuple[int, int] | None:
    """The canvas, as the first chunk has it; None when that is of no known kind."""
    match image[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", image, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (packed,) = struct.unpack_from("<I", image, 21)
            return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
        case b"VP8X":
            low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", image, 24)
            return (low_width | high_width << 16) + 1, (low_height | high_height << 16) + 1
    return None
