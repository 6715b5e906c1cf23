"""Laws of the registry protocol's parsers: whatever is sent is read safely or refused."""

import base64
import contextlib
import posixpath
import string

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.dialects.oci import basic_password, parse_path, scope_of, wants_to_write
from shared.errors import ModelNameInvalid

names = st.text(string.ascii_lowercase + string.digits + "_-", min_size=1, max_size=12)
repositories = st.lists(names, min_size=1, max_size=3).map("/".join)
tails = st.text(string.ascii_lowercase + './%:?#\\"\n é', max_size=60)


@given(tails)
def test_an_accepted_path_means_the_same_in_every_spelling(tail: str) -> None:
    path = "/v2/" + tail
    with contextlib.suppress(ModelNameInvalid):
        assert parse_path(path).path == path
        assert posixpath.normpath(path).rstrip("/") == path.rstrip("/")
        assert not set(path) & set('%?#\\"\n ')


@given(repositories, st.binary(min_size=32, max_size=32))
def test_a_blobs_path_names_its_repository_and_digest(repository: str, digest: bytes) -> None:
    target = parse_path(f"/v2/{repository}/blobs/sha256:{digest.hex()}")
    assert target.repository == repository
    assert target.blob == f"{repository}@sha256:{digest.hex()}"


@given(repositories, st.booleans())
def test_the_scope_we_ask_for_is_the_one_we_grant(repository: str, writes: bool) -> None:
    scope = scope_of(parse_path(f"/v2/{repository}/manifests/latest"), writes=writes)
    assert wants_to_write([scope]) is writes


@given(st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"])), st.text(min_size=1))
def test_any_password_survives_the_wrapping(user: str, password: str) -> None:
    encoded = base64.b64encode(f"{user}:{password}".encode("utf-8", "replace")).decode()
    assert basic_password(f"Basic {encoded}") == password.encode("utf-8", "replace").decode()


@given(st.text())
def test_any_header_is_read_or_ignored(text: str) -> None:
    basic_password(text)
    basic_password("Basic " + text)
    wants_to_write([text])
