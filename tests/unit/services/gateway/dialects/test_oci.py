"""Paths, scopes, credentials, challenges and errors of the registry protocol."""

import base64

import pytest

from services.gateway.dialects.oci import (
    Target,
    basic_password,
    challenge,
    error_body,
    parse_path,
    scope_of,
    wants_to_write,
)
from shared.errors import BlobUnknown, CorralError, Forbidden, ModelNameInvalid, Unauthenticated, Unavailable

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("path", "repository", "blob"),
    [
        ("/v2/", "", ""),
        ("/v2/_catalog", "", ""),
        ("/v2/team/x/manifests/latest", "team/x", ""),
        ("/v2/team/x/tags/list", "team/x", ""),
        (f"/v2/team/x/referrers/{DIGEST}", "team/x", ""),
        (f"/v2/team/x/blobs/{DIGEST}", "team/x", f"team/x@{DIGEST}"),
        (f"/v2/host:5000/team/x/blobs/{DIGEST}", "host:5000/team/x", f"host:5000/team/x@{DIGEST}"),
        (f"/v2/team/blobs/blobs/{DIGEST}", "team/blobs", f"team/blobs@{DIGEST}"),
        ("/v2/team/x/blobs/uploads/", "team/x", ""),
        ("/v2/team/x/blobs/uploads/0b1c", "team/x", ""),
        ("/v2/x/manifests/latest", "x", ""),
        ("/v2/team/x/blobs/sha256:ab", "team/x", ""),
    ],
)
def test_a_path_says_what_it_is_about(path: str, repository: str, blob: str) -> None:
    assert parse_path(path) == Target(path=path, repository=repository, blob=blob)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../internal/blobs/x",
        "/v2/team/../../api/delete",
        "/v2/./x",
        "/v2/..",
        "/v2/.",
        "/v2//x",
        "/v2/team/x%2f",
        "/v2/team/x?y",
        "/v2/team/x\\y",
        "/v2/team/é",
        '/v2/te"am/x/manifests/latest',
        "/v2/team/x\n",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ModelNameInvalid):
        parse_path(path)


def test_the_scope_is_what_the_request_needs() -> None:
    model = parse_path("/v2/team/x/manifests/latest")
    assert scope_of(model, writes=False) == "repository:team/x:pull"
    assert scope_of(model, writes=True) == "repository:team/x:pull,push"
    assert scope_of(parse_path("/v2/_catalog"), writes=False) == "registry:catalog:*"
    assert scope_of(parse_path("/v2/"), writes=False) == ""


@pytest.mark.parametrize(
    ("scopes", "writes"),
    [
        ([], False),
        ([""], False),
        (["repository:team/x:pull"], False),
        (["repository:team/x:pull,push"], True),
        (["repository:team/x:pull", "repository:host:5000/y/z:push"], True),
        (["repository:team/x:pull repository:team/y:delete"], True),
        (["repository:team/x:*"], True),
        (["registry:catalog:*"], False),
        (["repository:push:pull"], False),
        (["push"], False),
    ],
)
def test_writing_is_what_a_scope_asks_beyond_pulling(scopes: list[str], writes: bool) -> None:
    assert wants_to_write(scopes) is writes


def test_a_challenge_quotes_every_value_and_leaves_empty_ones_out() -> None:
    assert challenge("https://c.example", "c.example", "repository:a/b:pull") == (
        'Bearer realm="https://c.example/v2/token",service="c.example",scope="repository:a/b:pull"'
    )
    assert challenge("http://c:1", "c:1", "", error="insufficient_scope") == (
        'Bearer realm="http://c:1/v2/token",service="c:1",error="insufficient_scope"'
    )


@pytest.mark.parametrize(
    ("header", "password"),
    [
        ("Basic " + base64.b64encode(b"ann:corral_key").decode(), "corral_key"),
        ("basic  " + base64.b64encode(b":corral:key").decode(), "corral:key"),
        ("Basic " + base64.b64encode(b"ann:").decode(), None),
        ("Basic " + base64.b64encode(b"ann").decode(), None),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), None),
        ("Basic !", None),
        ("Basic ä", None),
        ("Bearer corral_key", None),
        ("", None),
    ],
)
def test_the_key_is_the_password_whatever_the_user(header: str, password: str | None) -> None:
    assert basic_password(header) == password


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unauthenticated("x"), "UNAUTHORIZED"),
        (Forbidden("x"), "DENIED"),
        (ModelNameInvalid("x"), "NAME_INVALID"),
        (BlobUnknown("x"), "NAME_UNKNOWN"),
        (Unavailable("x"), "UNKNOWN"),
    ],
)
def test_errors_carry_the_protocols_codes(error: CorralError, code: str) -> None:
    assert error_body(error.info()) == {"errors": [{"code": code, "message": "x", "detail": None}]}
