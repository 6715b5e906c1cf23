"""Request bodies that come compressed (`Content-Encoding`), made plain without ever holding more than is accepted.

A small body may decompress to gigabytes, so it is fed to the decompressor in slices too short for one of them to
become much: 512 bytes are at most 16 MiB of zstd (128 KiB for 4 bytes) and half a MiB of gzip.
Source: RFC 9110 section 8.4 (codings), RFC 9659 (the window of zstd), Ollama's limit for a decompressed body.
"""

import zlib
from typing import Final, Protocol

import zstandard

from shared.errors import CodingUnsupported, ParameterInvalid, TooLarge

DECODED_BYTES_MAX: Final = 20 << 20
_SLICE_BYTES: Final = 512
_ZSTD_WINDOW_BYTES_MAX: Final = 8 << 20
_GZIP_WINDOW_BITS: Final = 16 + zlib.MAX_WBITS
_ZLIB_METHOD: Final = 8
_NAMES: Final = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "zstd": "zstd"}


class _Decompressor(Protocol):
    """Of one gzip member or zstd frame; a body may be several, one after the other."""

    def decompress(self, data: bytes, /) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


def coding_of(header: str) -> str | None:
    """The one coding that `Content-Encoding` names; None for a plain body.

    Raises: CodingUnsupported.
    """
    name = header.strip().lower()
    if name in ("", "identity"):
        return None
    if name not in _NAMES:
        raise CodingUnsupported(f"a request body with Content-Encoding {name!r} cannot be read: use gzip or zstd")
    return _NAMES[name]


class BodyDecoder:
    """The plain bytes of a body that arrives in pieces."""

    def __init__(self, coding: str, *, bytes_max: int) -> None:
        self._coding = coding
        self._bytes_max = bytes_max
        self._decoded = bytearray()
        self._fed_bytes = 0
        self._decompressor: _Decompressor | None = None

    def feed(self, piece: bytes) -> None:
        """Raises: ParameterInvalid for what is not the coding's format, TooLarge."""
        self._fed_bytes += len(piece)
        for begin in range(0, len(piece), _SLICE_BYTES):
            self._feed_slice(piece[begin : begin + _SLICE_BYTES])
            # What was fed counts as well: empty members and frames could go on for ever.
            if max(self._fed_bytes, len(self._decoded)) > self._bytes_max:
                raise TooLarge(f"the request body has more than {self._bytes_max} bytes when it is decompressed")

    def whole(self) -> bytes:
        """All of it.

        Raises: ParameterInvalid when something is missing.
        """
        if self._decompressor is not None and not self._decompressor.eof:
            raise ParameterInvalid(f"the request body is cut off: its {self._coding} data has no end")
        return bytes(self._decoded)

    def _feed_slice(self, data: bytes) -> None:
        try:
            while data:
                if self._decompressor is None or self._decompressor.eof:
                    self._decompressor = _decompressor(self._coding, data[0])
                self._decoded += self._decompressor.decompress(data)
                data = self._decompressor.unused_data
        except (zlib.error, zstandard.ZstdError) as cause:
            raise ParameterInvalid(f"the request body is not valid {self._coding} data") from cause


def _decompressor(coding: str, first_byte: int) -> _Decompressor:
    if coding == "zstd":
        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX).decompressobj()
    if coding == "gzip":
        return zlib.decompressobj(_GZIP_WINDOW_BITS)
    # Many senders take deflate for the bare algorithm, without the header that the standard means.
    is_bare = first_byte & 0xF != _ZLIB_METHOD
    return zlib.decompressobj(-zlib.MAX_WBITS if is_bare else zlib.MAX_WBITS)
