"""Laws of keys and signed headers: whatever is sent, they are read whole or refused."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.ollama_keys import OllamaKey
from services.gateway.ssh_keys import parse_public_key, parse_signed
from shared.errors import ParameterInvalid

OLLAMA_KEY = OllamaKey()
HEAD = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
points = st.binary(min_size=32, max_size=32)
signatures = st.binary(min_size=64, max_size=64)


@given(points, st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=100))
def test_every_well_formed_line_is_read_and_keeps_its_bytes(point: bytes, comment: str) -> None:
    line = f"ssh-ed25519 {base64.b64encode(HEAD + point).decode()} {comment}"
    if "PRIVATE KEY" not in line:
        assert parse_public_key(line).blob == HEAD + point


@given(points, signatures)
def test_every_well_formed_header_is_read(point: bytes, signature: bytes) -> None:
    signed = parse_signed(f"{base64.b64encode(HEAD + point).decode()}:{base64.b64encode(signature).decode()}")
    assert signed is not None
    assert (signed.key.blob, signed.signature) == (HEAD + point, signature)


@given(signatures, st.binary(max_size=100))
def test_a_random_signature_is_never_right(signature: bytes, text: bytes) -> None:
    assert not parse_public_key(OLLAMA_KEY.public_line).has_signed(text, signature)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    parse_signed(text)
    with contextlib.suppress(ParameterInvalid):
        parse_public_key(text)


@given(st.binary(max_size=80).filter(lambda blob: not (blob.startswith(HEAD) and len(blob) == 51)))
def test_every_blob_that_is_no_ed25519_key_is_refused(blob: bytes) -> None:
    with pytest.raises(ParameterInvalid):
        parse_public_key(f"ssh-ed25519 {base64.b64encode(blob).decode()}")
