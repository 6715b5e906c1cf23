"""Which files are handed to a picture's decoder, and which are refused first."""

import struct
from collections.abc import Sequence

import pytest

from fakes.pictures import claiming, png, webp
from fakes.sounds import flac, wav
from services.worker.llama.media_files import (
    FILE_BYTES_MAX,
    FILES_MAX,
    IMAGE_PIXELS_MAX,
    PROMPT_PIXELS_MAX,
    PROMPT_SECONDS_MAX,
    checked,
    pixels_of,
)
from shared.errors import CapabilityMissing, ParameterInvalid


def seen(files: Sequence[bytes]) -> tuple[bytes, ...]:
    return checked(files, sees=True, hears=False)


GIF = b"GIF89a" + struct.pack("<HH", 30, 20)
BMP = b"BM" + bytes(12) + struct.pack("<Iii", 40, 30, -20)
OLD_BMP = b"BM" + bytes(12) + struct.pack("<IHH", 12, 30, 20)
SEGMENT = b"\xff\xe0" + struct.pack(">H", 6) + b"JFIF"
JPEG = b"\xff\xd8" + SEGMENT + b"\xff\xff\xc2" + struct.pack(">HBHH", 17, 8, 20, 30)


@pytest.mark.parametrize("image", [png(width=30, height=20), GIF, BMP, OLD_BMP, JPEG])
def test_the_size_is_read_from_the_first_bytes(image: bytes) -> None:
    assert pixels_of(image) == (30, 20)
    seen([image])


@pytest.mark.parametrize("image", [b"", b"%PDF-1.7", b"\0\0\0\x18ftypmp42", b"RIFF....AVI ", b"P6 9 9 255\n"])
def test_other_formats_are_none(image: bytes) -> None:
    assert pixels_of(image) is None
    with pytest.raises(
        ParameterInvalid, match="image 1 cannot be read: it is not a PNG, JPEG, GIF, BMP or WebP picture"
    ):
        seen([image])


@pytest.mark.parametrize("image", [png()[:20], GIF[:7], BMP[:20], JPEG[:-3], b"\xff\xd8\xff", b"\xff\xd8" + SEGMENT])
def test_a_file_that_ends_before_its_size_is_refused(image: bytes) -> None:
    with pytest.raises(ParameterInvalid, match="it ends too early"):
        seen([image])


def test_a_picture_may_have_so_many_pixels_and_no_more() -> None:
    side = 1 << 13
    assert side * side == IMAGE_PIXELS_MAX
    seen([claiming(side, side)])
    with pytest.raises(ParameterInvalid, match="8193 x 8192 pixels"):
        seen([claiming(side + 1, side)])


def test_a_picture_without_pixels_is_damaged() -> None:
    with pytest.raises(ParameterInvalid, match="it is damaged"):
        seen([claiming(0, 10)])


def test_a_file_may_have_so_many_bytes_and_no_more() -> None:
    seen([png() + bytes(FILE_BYTES_MAX - len(png()))])
    with pytest.raises(ParameterInvalid, match="bytes, more than"):
        seen([png() + bytes(FILE_BYTES_MAX - len(png()) + 1)])


def test_a_prompt_may_hold_so_many_images_and_no_more() -> None:
    seen([GIF] * FILES_MAX)
    with pytest.raises(ParameterInvalid, match=f"at most {FILES_MAX}"):
        seen([GIF] * (FILES_MAX + 1))


@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_tells_its_size(lossless: bool) -> None:
    picture = webp(1, width=30, height=20, lossless=lossless)
    assert pixels_of(picture) == (30, 20)
    assert seen([picture]) == (picture,)


def test_an_animated_webp_tells_that_of_its_canvas() -> None:
    assert pixels_of(webp(1, 2, width=30, height=20)) == (30, 20)


def test_a_webp_may_have_so_many_pixels_and_no_more() -> None:
    claim = b"RIFF\0\0\0\0WEBPVP8X" + struct.pack("<IIHBHB", 10, 0, 8192, 0, 8191, 0)
    with pytest.raises(ParameterInvalid, match="8193 x 8192 pixels"):
        seen([claim])


@pytest.mark.parametrize("kind", [b"VP8 ", b"VP8L", b"VP8X"])
def test_a_webp_that_ends_before_its_size_is_refused(kind: bytes) -> None:
    with pytest.raises(ParameterInvalid, match="it ends too early"):
        seen([b"RIFF\0\0\0\0WEBP" + kind])


def test_pictures_of_one_prompt_may_have_so_many_pixels_together() -> None:
    largest = claiming(1 << 13, 1 << 13)
    seen([largest] * (PROMPT_PIXELS_MAX // IMAGE_PIXELS_MAX))
    with pytest.raises(ParameterInvalid, match="the images have"):
        seen([largest] * (PROMPT_PIXELS_MAX // IMAGE_PIXELS_MAX + 1))


def test_sounds_of_one_prompt_may_last_so_long_together() -> None:
    half = wav(seconds=PROMPT_SECONDS_MAX / 2, rate_hz=1000)
    assert checked([half, half], sees=False, hears=True) == (half, half)
    with pytest.raises(ParameterInvalid, match="the sound lasts 3601 s"):
        checked([half, half, wav(seconds=1)], sees=False, hears=True)


def test_a_sound_without_samples_is_refused() -> None:
    with pytest.raises(ParameterInvalid, match="sound 1 cannot be read: it holds no sound"):
        checked([wav(seconds=0)], sees=True, hears=True)


def test_what_a_model_cannot_take_in_is_refused_by_name() -> None:
    with pytest.raises(CapabilityMissing, match="does not support audio input"):
        checked([wav()], sees=True, hears=False)
    with pytest.raises(CapabilityMissing, match="does not support image input"):
        checked([png()], sees=False, hears=True)


def test_a_small_file_that_claims_hours_is_refused() -> None:
    with pytest.raises(ParameterInvalid, match="the sound lasts"):
        checked([flac(claimed_count=1 << 35)], sees=False, hears=True)
