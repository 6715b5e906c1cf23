"""Which files are handed to a picture's decoder, and which are refused first."""

import struct

import pytest

from fakes.pictures import claiming, png
from services.worker.llama.media_files import (
    IMAGE_BYTES_MAX,
    IMAGE_PIXELS_MAX,
    IMAGES_MAX,
    check_images,
    pixels_of,
)
from shared.errors import ParameterInvalid

GIF = b"GIF89a" + struct.pack("<HH", 30, 20)
BMP = b"BM" + bytes(12) + struct.pack("<Iii", 40, 30, -20)
OLD_BMP = b"BM" + bytes(12) + struct.pack("<IHH", 12, 30, 20)
SEGMENT = b"\xff\xe0" + struct.pack(">H", 6) + b"JFIF"
JPEG = b"\xff\xd8" + SEGMENT + b"\xff\xff\xc2" + struct.pack(">HBHH", 17, 8, 20, 30)


@pytest.mark.parametrize("image", [png(width=30, height=20), GIF, BMP, OLD_BMP, JPEG])
def test_the_size_is_read_from_the_first_bytes(image: bytes) -> None:
    assert pixels_of(image) == (30, 20)
    check_images([image])


@pytest.mark.parametrize("image", [b"", b"%PDF-1.7", b"\0\0\0\x18ftypmp42", b"RIFF....AVI ", b"P6 9 9 255\n"])
def test_other_formats_are_none(image: bytes) -> None:
    assert pixels_of(image) is None
    with pytest.raises(ParameterInvalid, match="image 1 cannot be read: it is not a PNG, JPEG, GIF or BMP picture"):
        check_images([image])


@pytest.mark.parametrize("image", [png()[:20], GIF[:7], BMP[:20], JPEG[:-3], b"\xff\xd8\xff", b"\xff\xd8" + SEGMENT])
def test_a_file_that_ends_before_its_size_is_refused(image: bytes) -> None:
    with pytest.raises(ParameterInvalid, match="it ends too early"):
        check_images([image])


def test_a_picture_may_have_so_many_pixels_and_no_more() -> None:
    side = 1 << 13
    assert side * side == IMAGE_PIXELS_MAX
    check_images([claiming(side, side)])
    with pytest.raises(ParameterInvalid, match="8193 x 8192 pixels"):
        check_images([claiming(side + 1, side)])


def test_a_picture_without_pixels_is_damaged() -> None:
    with pytest.raises(ParameterInvalid, match="it is damaged"):
        check_images([claiming(0, 10)])


def test_a_file_may_have_so_many_bytes_and_no_more() -> None:
    check_images([png() + bytes(IMAGE_BYTES_MAX - len(png()))])
    with pytest.raises(ParameterInvalid, match="bytes, more than"):
        check_images([png() + bytes(IMAGE_BYTES_MAX - len(png()) + 1)])


def test_a_prompt_may_hold_so_many_images_and_no_more() -> None:
    check_images([GIF] * IMAGES_MAX)
    with pytest.raises(ParameterInvalid, match=f"at most {IMAGES_MAX}"):
        check_images([GIF] * (IMAGES_MAX + 1))


@pytest.mark.parametrize("sound", [b"RIFF....WAVEfmt ", b"ID3\x04", b"\xff\xfb\x90\x00"])
def test_sound_is_refused_by_name(sound: bytes) -> None:
    with pytest.raises(ParameterInvalid, match="sound is not supported"):
        check_images([sound])


def test_webp_is_refused_by_name() -> None:
    with pytest.raises(ParameterInvalid, match="WebP is not supported"):
        check_images([b"RIFF\x10\0\0\0WEBPVP8 "])
