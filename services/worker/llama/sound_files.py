"""Sound as llama.cpp may decode it: so long and no longer, in a form that leaves its decoders nothing to guess. Pure.

They take a file's word for its length and reserve that much memory. So a WAV is written anew around the samples that
are there, of an MP3 only the frames are kept, and a FLAC file must have a sensible header.
Source: RIFF WAVE (Microsoft), MPEG audio layer III (ISO 11172-3, 13818-3), FLAC (RFC 9639).
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_WAV_KINDS: Final = {1: (8, 16, 24, 32), 3: (32, 64), 6: (8,), 7: (8,)}
"""Bits a sample may have as integer, float, A-law and mu-law."""
_WAV_EXTENSIBLE: Final = 0xFFFE
_CHANNELS_MAX: Final = 8
_RATES_HZ: Final = range(1_000, 384_001)
_MP3_RATES_HZ: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""By the header's two bits for the version: MPEG 1, 2 and 2.5."""
_MP3_KBITS: Final = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By whether it is MPEG 1; index 0 is the header's 1."""
_MP3_NOTES: Final = (b"Xing", b"Info")
"""Marks of a frame that holds no sound but claims about the file, its length among them."""
_MP3_NOTE_BYTES: Final = 48
_STRAY_BYTES_MAX: Final = 256 << 10
"""Bytes of an MP3 outside its frames and its tag in front, which are looked through one by one."""
_FLAC_INFO_BYTES: Final = 34


class Sound(NamedTuple):
    """`seconds` is what decoding `file` gives at most."""

    seconds: float
    file: bytes


def is_sound(data: bytes) -> bool:
    """Whether it begins as WAV, MP3 or FLAC."""
    return _is_wav(data) or _is_mp3(data) or data[:4] == b"fLaC"


def sound_of(data: bytes) -> Sound | None:
    """The sound in a file that begins as one; None when it is damaged, or a kind of WAV that is not decoded.

    Raises: struct.error, IndexError when the file ends before it says.
    """
    if _is_wav(data):
        return _wav(data)
    return _mp3(data) if _is_mp3(data) else _flac(data)


def _is_wav(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WAVE"


def _is_mp3(data: bytes) -> bool:
    return data[:3] == b"ID3" or (data[:1] == b"\xff" and data[1:2] >= b"\xe0")


def _wav(data: bytes) -> Sound | None:
    """Programs that write to a pipe do not know the length of the samples, so these may end with the file."""
    offset, layout = 12, b""
    while True:
        name, size = struct.unpack_from("<4sI", data, offset)
        offset += 8
        if name == b"data":
            return _plain_wav(layout, data[offset : offset + size])
        if name == b"fmt ":
            layout = data[offset : offset + size]
        offset += size + size % 2


def _plain_wav(layout: bytes, samples: bytes) -> Sound | None:
    kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", layout)
    if kind == _WAV_EXTENSIBLE:
        (kind,) = struct.unpack_from("<H", layout, 24)
    if bits not in _WAV_KINDS.get(kind, ()) or not 1 <= channels <= _CHANNELS_MAX or rate_hz not in _RATES_HZ:
        return None
    step_bytes = channels * bits // 8
    count = len(samples) // step_bytes
    samples = samples[: count * step_bytes]
    head = struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * step_bytes, step_bytes, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(samples)) + samples
    return Sound(count / rate_hz, b"RIFF" + struct.pack("<I", len(body)) + body)


class _Frame(NamedTuple):
    size_bytes: int
    seconds: float


def _mp3(data: bytes) -> Sound | None:
    kept = []
    seconds = 0.0
    for frame, duration_s in _mp3_frames(data, _behind_tag(data)):
        if not any(note in frame[:_MP3_NOTE_BYTES] for note in _MP3_NOTES):
            kept.append(frame)
            seconds += duration_s
    return Sound(seconds, b"".join(kept)) if kept else None


def _behind_tag(data: bytes) -> int:
    """Where the ID3v2 tag ends, whose length is written with 7 bits a byte."""
    if data[:3] != b"ID3":
        return 0
    length = 0
    for byte in data[6:10]:
        length = length << 7 | byte & 0x7F
    return 10 + length


def _mp3_frames(data: bytes, offset: int) -> Iterator[tuple[bytes, float]]:
    """Whole frames and their seconds; what stands between them is passed over, up to a limit."""
    stray_bytes = 0
    while offset + 4 <= len(data) and stray_bytes < _STRAY_BYTES_MAX:
        frame = _mp3_frame(int.from_bytes(data[offset : offset + 4]))
        if frame is not None and offset + frame.size_bytes <= len(data):
            yield data[offset : offset + frame.size_bytes], frame.seconds
            offset += frame.size_bytes
        else:
            offset += 1
            stray_bytes += 1


def _mp3_frame(head: int) -> _Frame | None:
    """What the first 4 bytes of a layer III frame say; None when they begin none."""
    version, layer, kbits, rate = head >> 19 & 3, head >> 17 & 3, head >> 12 & 15, head >> 10 & 3
    if head >> 21 != 0x7FF or version == 1 or layer != 1 or kbits in (0, 15) or rate == 3:
        return None
    is_first = version == 3
    rate_hz = _MP3_RATES_HZ[version][rate]
    samples_count = 1152 if is_first else 576
    size_bytes = samples_count // 8 * _MP3_KBITS[is_first][kbits - 1] * 1000 // rate_hz + (head >> 9 & 1)
    return _Frame(size_bytes, samples_count / rate_hz)


def _flac(data: bytes) -> Sound | None:
    """A file that does not know its length is none that can be decoded."""
    if int.from_bytes(data[4:8]) & 0x7FFFFFFF != _FLAC_INFO_BYTES:
        return None
    block_min, block_max = struct.unpack_from(">HH", data, 8)
    (packed,) = struct.unpack_from(">Q", data, 18)
    rate_hz, samples_count = packed >> 44, packed & (1 << 36) - 1
    if not 16 <= block_min <= block_max or rate_hz not in _RATES_HZ or samples_count == 0:
        return None
    offset, is_last = 4, False
    while not is_last:
        is_last = data[offset] >= 0x80
        offset += 4 + int.from_bytes(data[offset + 1 : offset + 4])
    is_frame = data[offset] == 0xFF and data[offset + 1] & 0xFE == 0xF8
    return Sound(samples_count / rate_hz, data) if is_frame else None
