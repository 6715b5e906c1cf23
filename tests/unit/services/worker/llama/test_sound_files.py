"""How long a sound can be, and what of its file is handed to a decoder."""

import struct

import pytest

from fakes.sounds import flac, mp3, wav
from services.worker.llama.sound_files import Sound, is_sound, sound_of

PLAIN = wav(seconds=0.5)
BODY = PLAIN[44:]
TAG = b"ID3\x04\0\0\0\0\x02\x00" + bytes(256)
NOTE = b"\xff\xfb\x90\x00" + bytes(32) + b"Xing\0\0\0\x01\xff\xff\xff\xff" + bytes(369)


def wav_with(kind: int, bits: int, *, channels: int = 1, rate_hz: int = 16_000) -> bytes:
    layout = struct.pack("<HHIIHH", kind, channels, rate_hz, 0, 0, bits)
    return (
        b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", 64) + bytes(64)
    )


def heard(file: bytes) -> Sound:
    sound = sound_of(file)
    assert sound is not None
    return sound


@pytest.mark.parametrize("file", [PLAIN, mp3(), TAG, flac()])
def test_sounds_are_known_by_their_beginning(file: bytes) -> None:
    assert is_sound(file)


@pytest.mark.parametrize("file", [b"", b"RIFF....WEBPVP8 ", b"\xff\xd8\xff"[:1], b"\x89PNG"])
def test_other_files_are_no_sounds(file: bytes) -> None:
    assert not is_sound(file)


def test_a_plain_wav_stays_as_it_is() -> None:
    assert heard(PLAIN) == Sound(0.5, PLAIN)


def test_a_wav_ends_with_its_file_whatever_it_claims() -> None:
    for claim in (0xFFFFFFFF, len(BODY) + 2):
        assert heard(PLAIN[:40] + struct.pack("<I", claim) + BODY) == Sound(0.5, PLAIN)


def test_only_the_samples_of_a_wav_are_handed_on() -> None:
    odd = PLAIN[:36] + b"LIST\x03\0\0\0abc\0" + PLAIN[36:] + b"LIST\x04\0\0\0abcd"
    assert heard(odd) == Sound(0.5, PLAIN)


def test_an_extensible_wav_becomes_a_plain_one() -> None:
    layout = struct.pack("<HHIIHH", 0xFFFE, 1, 16_000, 32_000, 2, 16) + struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)
    assert heard(PLAIN[:16] + struct.pack("<I", len(layout)) + layout + PLAIN[36:]) == Sound(0.5, PLAIN)


@pytest.mark.parametrize(("kind", "bits"), [(1, 8), (1, 24), (3, 32), (3, 64), (6, 8), (7, 8)])
def test_other_samples_are_measured_by_their_size(kind: int, bits: int) -> None:
    assert heard(wav_with(kind, bits)).seconds == 64 * 8 // bits / 16_000


@pytest.mark.parametrize(
    "file",
    [
        wav_with(2, 4),
        wav_with(1, 12),
        wav_with(1, 16, channels=0),
        wav_with(1, 16, channels=9),
        wav_with(1, 16, rate_hz=0),
        wav_with(1, 16, rate_hz=1 << 30),
    ],
)
def test_a_wav_of_another_kind_is_none(file: bytes) -> None:
    assert sound_of(file) is None


def test_only_the_frames_of_an_mp3_are_handed_on() -> None:
    sound = heard(TAG + mp3(3) + b"stray" + mp3(2) + b"TAG" + bytes(125))
    assert sound.file == mp3(5)
    assert sound.seconds == pytest.approx(5 * 1152 / 44_100)


def test_what_an_mp3_claims_about_its_length_is_left_out() -> None:
    assert heard(NOTE + mp3(2)) == heard(mp3(2))


def test_a_frame_that_was_cut_off_is_left_out() -> None:
    assert heard(mp3(2)[:-1]) == heard(mp3(1))


@pytest.mark.parametrize(
    ("head", "size_bytes", "seconds"),
    [(0xFFFB9200, 418, 1152 / 44_100), (0xFFF314C4, 24, 0.024), (0xFFE318C4, 72, 0.072)],
)
def test_frames_of_every_version_are_measured(head: int, size_bytes: int, seconds: float) -> None:
    frame = head.to_bytes(4) + bytes(size_bytes - 4)
    assert heard(frame * 2) == Sound(seconds * 2, frame * 2)


@pytest.mark.parametrize("file", [b"ID3\x04\0\0\0\0\x7f\x7f", b"\xff\xfb\xf0\x00" * 99, b"\xff\xe0" * 300_000])
def test_an_mp3_without_frames_is_none(file: bytes) -> None:
    assert sound_of(file) is None


def test_a_flac_lasts_as_long_as_it_claims() -> None:
    assert heard(flac(8192)) == Sound(8192 / 16_000, flac(8192))
    assert heard(flac(claimed_count=1 << 35)).seconds == (1 << 35) / 16_000


@pytest.mark.parametrize(
    "file", [flac(claimed_count=0), b"fLaC\x81" + flac()[5:], flac()[:8] + bytes(4) + flac()[12:], flac(0) + b"\0\0"]
)
def test_a_flac_whose_header_makes_no_sense_is_none(file: bytes) -> None:
    assert sound_of(file) is None
