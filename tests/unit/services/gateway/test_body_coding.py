"""Compressed bodies: what is read, what is refused, and that a bomb stays small."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard

from services.gateway.body_coding import BodyDecoder, coding_of
from shared.errors import CodingUnsupported, ParameterInvalid, TooLarge

TEXT = b'{"model":"tiny","prompt":"' + b"hello " * 500 + b'"}'


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def unsized_zstd(content: bytes) -> bytes:
    """A frame that does not tell its size, as a client that streams makes it."""
    packer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    return packer.compress(content) + packer.flush()


PACKED = {
    "zstd": zstandard.compress(TEXT),
    "zstd that does not tell its size": unsized_zstd(TEXT),
    "gzip": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    "deflate without its header": raw_deflate(TEXT),
}
each_coding = pytest.mark.parametrize("kind", PACKED)


def decoded(kind: str, *pieces: bytes, bytes_max: int = 1 << 20) -> bytes:
    decoder = BodyDecoder(kind.split(maxsplit=1)[0], bytes_max=bytes_max)
    for piece in pieces:
        decoder.feed(piece)
    return decoder.whole()


@each_coding
def test_a_body_is_read_however_its_bytes_arrive(kind: str) -> None:
    packed = PACKED[kind]
    assert decoded(kind, packed) == TEXT
    assert decoded(kind, *(packed[index : index + 1] for index in range(len(packed)))) == TEXT


@each_coding
def test_parts_packed_one_after_the_other_are_one_body(kind: str) -> None:
    assert decoded(kind, PACKED[kind] * 3) == TEXT * 3


def test_zstd_passes_over_frames_that_hold_no_content() -> None:
    skippable = (0x184D2A50).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"note!"
    assert decoded("zstd", skippable + PACKED["zstd"] + skippable) == TEXT


@each_coding
def test_a_body_that_is_cut_off_is_refused(kind: str) -> None:
    with pytest.raises(ParameterInvalid, match="cut off"):
        decoded(kind, PACKED[kind][:-1])


@each_coding
def test_what_is_not_in_the_format_it_says_is_refused(kind: str) -> None:
    with pytest.raises(ParameterInvalid, match="is not valid"):
        decoded(kind, b"\x07{}" + TEXT)


@each_coding
def test_garbage_after_the_end_is_refused(kind: str) -> None:
    with pytest.raises(ParameterInvalid):
        decoded(kind, PACKED[kind] + b"\x07garbage")


def test_a_body_of_no_bytes_is_empty() -> None:
    assert decoded("zstd") == b""


@pytest.mark.parametrize(
    ("kind", "pack"), [("zstd", zstandard.compress), ("gzip", gzip.compress), ("deflate", raw_deflate)]
)
def test_a_bomb_is_refused_before_it_takes_memory(kind: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decoded(kind, bomb)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_parts_without_content_do_not_go_on_for_ever() -> None:
    with pytest.raises(TooLarge):
        decoded("gzip", gzip.compress(b"") * 1000, bytes_max=10_000)


def test_a_body_may_have_exactly_as_many_bytes_as_are_accepted() -> None:
    assert decoded("zstd", PACKED["zstd"], bytes_max=len(TEXT)) == TEXT
    with pytest.raises(TooLarge):
        decoded("zstd", PACKED["zstd"], bytes_max=len(TEXT) - 1)


def test_zstd_with_a_window_beyond_what_http_allows_is_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=24)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    with pytest.raises(ParameterInvalid):
        decoded("zstd", packer.compress(TEXT) + packer.flush())


@pytest.mark.parametrize(
    ("header", "coding"),
    [("", None), (" Identity ", None), ("ZSTD", "zstd"), ("x-gzip", "gzip"), ("deflate", "deflate")],
)
def test_the_header_names_the_coding_in_any_case(header: str, coding: str | None) -> None:
    assert coding_of(header) == coding


@pytest.mark.parametrize("header", ["br", "gzip, zstd", "snappy"])
def test_a_coding_nobody_reads_is_refused_with_those_that_are_read(header: str) -> None:
    with pytest.raises(CodingUnsupported, match="use gzip or zstd"):
        coding_of(header)
