"""Bytes in JSON as Go reads them: standard base64, line breaks allowed, and Go's words for what is not. Pure.

Source: Go `encoding/base64/base64.go`, decodeQuantum.
"""

import base64
import binascii
import re
from typing import Final

from shared.errors import ParameterInvalid

_NOT_ALPHABET: Final = re.compile(r"[^A-Za-z0-9+/\r\n]")
_LINE_BREAKS: Final = re.compile(r"[\r\n]*")


def decode_base64(text: str) -> bytes:
    """Raises: ParameterInvalid, telling the byte at which it stops being base64."""
    position = _first_fault(text)
    if position is not None:
        raise ParameterInvalid(f"illegal base64 data at input byte {len(text[:position].encode())}")
    try:
        return base64.b64decode(text)
    except binascii.Error as cause:
        raise AssertionError("two base64 grammars disagree") from cause


def _first_fault(text: str) -> int | None:
    """Where Go stops reading; None when it reads to the end."""
    found = _NOT_ALPHABET.search(text)
    end = len(text) if found is None else found.start()
    in_group = (end - text.count("\n", 0, end) - text.count("\r", 0, end)) % 4
    if found is None:
        return end - in_group if in_group else None
    if found.group() != "=" or in_group < 2:
        return end
    after = _skip_line_breaks(text, end + 1)
    if in_group == 2:
        if after == len(text):
            return after
        if text[after] != "=":
            return after - 1
        after = _skip_line_breaks(text, after + 1)
    return after if after < len(text) else None


def _skip_line_breaks(text: str, start: int) -> int:
    found = _LINE_BREAKS.match(text, start)
    assert found is not None, "no line breaks are line breaks too"
    return found.end()
