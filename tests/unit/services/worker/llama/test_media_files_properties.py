"""No bytes are more than an answer."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from services.worker.llama.media_files import checked
from shared.errors import ParameterInvalid

BEGINNINGS = st.sampled_from(
    [
        *(b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\0\0"),
        *(b"RIFF\0\0\0\0WEBPVP8X", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"),
        *(b"ID3", b"\xff\xfb\x90\0", b"fLaC\0\0\0\x22"),
    ]
)


@given(begin=BEGINNINGS, rest=st.binary(max_size=80))
def test_whatever_a_file_holds_it_is_let_through_or_refused(begin: bytes, rest: bytes) -> None:
    with contextlib.suppress(ParameterInvalid):
        checked([begin + rest], sees=True, hears=True)
