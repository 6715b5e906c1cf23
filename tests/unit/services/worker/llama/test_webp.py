"""What a WebP picture becomes."""

import pytest

from fakes.pictures import webp
from services.worker.llama.webp import is_webp, pixels_of_webp

PICTURE = webp(1, width=30, height=20, lossless=True)


def test_a_picture_becomes_its_pixels() -> None:
    pixels = pixels_of_webp(PICTURE)
    assert pixels is not None
    assert (pixels.width, pixels.height, len(pixels.rgb)) == (30, 20, 30 * 20 * 3)


def test_an_animation_is_its_first_frame() -> None:
    assert pixels_of_webp(webp(1, 2, width=30, height=20, lossless=True)) == pixels_of_webp(PICTURE)


@pytest.mark.parametrize("damaged", [b"", PICTURE[:40], PICTURE[:-9], b"RIFF\x04\0\0\0WEBP"])
def test_a_damaged_picture_has_no_pixels(damaged: bytes) -> None:
    assert pixels_of_webp(damaged) is None


def test_webp_is_known_by_its_beginning() -> None:
    assert is_webp(PICTURE)
    assert not is_webp(b"RIFF\x04\0\0\0WAVE")
