"""Reading a 401, and asking for a token the way its server expects it."""

import base64
import hashlib

import pytest
from yarl import URL

from services.registry.upstream.challenge import (
    BasicChallenge,
    BearerChallenge,
    check_realm,
    parse_challenges,
    parse_credentials,
    read_token,
    signed_bytes,
    token_url,
)
from shared.errors import UpstreamFailed, UpstreamForbidden, UpstreamRefused
from shared.settings import Secret, SettingsInvalid

REGISTRY = URL("https://registry.example")


def test_a_bearer_challenge_is_read() -> None:
    header = 'Bearer realm="https://a.example/token",service="a registry, of sorts",scope="repository:x/y:pull,push"'
    assert parse_challenges([header]) == BearerChallenge(
        realm="https://a.example/token", service="a registry, of sorts", scopes=("repository:x/y:pull,push",)
    )


def test_several_scopes_are_told_apart() -> None:
    challenge = parse_challenges(['bearer Realm = "r" , SCOPE = "a:b:c d:e:f"'])
    assert challenge == BearerChallenge(realm="r", scopes=("a:b:c", "d:e:f"))


def test_values_may_come_without_quotes_and_with_escapes() -> None:
    assert parse_challenges(['Bearer realm=/token,service="a \\"b\\""']) == BearerChallenge(
        realm="/token", service='a "b"'
    )


@pytest.mark.parametrize(
    "headers",
    [
        ['Basic realm="x", Bearer realm="/t"'],
        ['Basic realm="x"', 'Bearer realm="/t"'],
        ['Negotiate, Bearer realm="/t"'],
    ],
)
def test_a_bearer_challenge_is_found_among_others(headers: list[str]) -> None:
    assert parse_challenges(headers) == BearerChallenge(realm="/t")


def test_a_basic_challenge_is_read() -> None:
    assert parse_challenges(['Basic realm="registry"']) == BasicChallenge()


@pytest.mark.parametrize("header", ["", "Bearer", 'Bearer service="x"', 'Digest realm="x"', "=", '"'])
def test_a_challenge_that_cannot_be_met_is_none(header: str) -> None:
    assert parse_challenges([header]) is None


def test_a_token_is_asked_for_with_a_sorted_query_quoted_as_go_does() -> None:
    challenge = BearerChallenge(
        realm="https://a.example/token?z=1", service="my registry", scopes=("repository:x/y:pull,push", "b")
    )
    assert str(token_url(REGISTRY, challenge, {"ts": "17"})) == (
        "https://a.example/token?scope=repository%3Ax%2Fy%3Apull%2Cpush&scope=b&service=my+registry&ts=17&z=1"
    )


def test_a_realm_may_be_relative() -> None:
    assert token_url(REGISTRY, BearerChallenge(realm="/v2/token"), {}) == URL("https://registry.example/v2/token")


def test_a_realm_without_tls_is_not_asked_on_behalf_of_one_with() -> None:
    with pytest.raises(UpstreamForbidden):
        token_url(REGISTRY, BearerChallenge(realm="http://registry.example/token"), {})


def test_a_signature_is_made_for_the_registry_alone() -> None:
    check_realm(REGISTRY, URL("https://registry.example:443/token"))
    with pytest.raises(
        UpstreamRefused, match=r'^realm host "a.example" does not match original host "registry.example"$'
    ):
        check_realm(REGISTRY, URL("https://a.example/token"))
    with pytest.raises(UpstreamRefused, match=r'realm host "registry\.example:8443" does not match'):
        check_realm(REGISTRY, URL("https://registry.example:8443/token"))


def test_the_signed_text_is_method_url_and_digest_of_nothing() -> None:
    nothing = base64.b64encode(hashlib.sha256().hexdigest().encode()).decode()
    assert signed_bytes(URL("https://a/token?b=c%3A", encoded=True)) == f"GET,https://a/token?b=c%3A,{nothing}".encode()


@pytest.mark.parametrize(
    ("content", "token"),
    [
        (b'{"token":"a.b-c"}', "a.b-c"),
        (b'{"access_token":"x","expires_in":60}', "x"),
        (b'{"token":"","access_token":"y"}', "y"),
    ],
)
def test_a_token_has_either_of_two_names(content: bytes, token: str) -> None:
    assert read_token(content) == token


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"token":""}', b'{"token":7}', b'{"token":"a\\r\\nX: y"}'])
def test_an_answer_without_a_usable_token_is_a_failure(content: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        read_token(content)


def test_credentials_belong_to_hosts() -> None:
    found = parse_credentials(Secret("hub.inside:5000=ann:a:b=c, Other.example = bob:,"))
    assert set(found) == {"hub.inside:5000", "other.example"}
    login = found["hub.inside:5000"]
    assert login is not None
    assert base64.b64decode(login.header.removeprefix("Basic ")) == b"ann:a:b=c"


def test_plain_http_is_an_entry_of_its_own() -> None:
    found = parse_credentials(Secret("http://Hub.inside=ann:a, hub.inside=bob:b, http://other.inside:5000"))
    assert set(found) == {"http://hub.inside", "hub.inside", "http://other.inside:5000"}
    assert found["http://other.inside:5000"] is None


@pytest.mark.parametrize(
    "text",
    [
        "secret",
        "host=secret",
        "=ann:secret",
        "host=:secret",
        "a/b=ann:secret",
        "http://host=secret",
        "http://host=",
        "http://",
        "https://host=ann:secret",
    ],
)
def test_credentials_of_another_form_stop_the_start_without_being_shown(text: str) -> None:
    with pytest.raises(SettingsInvalid) as invalid:
        parse_credentials(Secret(f"fine=ann:pw,{text}"))
    assert "entry 2" in str(invalid.value)
    assert "secret" not in str(invalid.value)
