"""Digests of content."""

import hashlib

import pytest

from shared.digest import HashingCopy, digest_of, hex_of, parse_digest
from shared.errors import DigestInvalid

HEX = "ab" * 32


@pytest.mark.parametrize("text", [f"sha256:{HEX}", f"sha256-{HEX}", f"sha256:{HEX.upper()}"])
def test_both_spellings_and_any_case_are_one_digest(text: str) -> None:
    assert parse_digest(text) == f"sha256:{HEX}"


@pytest.mark.parametrize(
    "text", ["", HEX, f"sha256:{HEX}0", f"sha256:{HEX[1:]}", f"md5:{HEX}", f"sha256:{HEX}\n", "sha256:../x"]
)
def test_anything_else_is_no_digest(text: str) -> None:
    with pytest.raises(DigestInvalid, match=r"^invalid digest format$"):
        parse_digest(text)


def test_content_hashed_in_pieces_has_the_digest_of_the_whole() -> None:
    copy = HashingCopy()
    for piece in (b"one", b"", b"two"):
        copy.update(piece)
    assert copy.digest == digest_of(b"onetwo")
    assert copy.size_bytes == 6
    assert hex_of(copy.digest) == hashlib.sha256(b"onetwo").hexdigest()
