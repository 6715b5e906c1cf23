"""For whom a service calls: signed tokens, plain headers, and what is refused."""

import base64
import hashlib
import hmac
import json

import pytest

from services.gateway.forwarded_users import (
    CLOCK_SKEW_S,
    EMAIL_HEADER,
    ID_CHARS_MAX,
    ID_HEADER,
    NAME_HEADER,
    SECRET_BYTES_MIN,
    TOKEN_CHARS_MAX,
    TOKEN_HEADER,
    ForwardedUser,
    forwarded_user,
    secret_problem,
)
from shared.errors import Forbidden
from shared.settings import Secret

TEXT = "a secret that Open WebUI has, too"
SECRET = Secret(TEXT)
UNSET = Secret()
NOW_S = 1_700_000_000.0
CLAIMS: dict[str, object] = {
    "sub": "u-1",
    "email": "zoe@example.com",
    "name": "Zoë Müller",
    "role": "admin",
    "iss": "open-webui",
    "iat": NOW_S,
    "exp": NOW_S + 300,
}
ZOE = ForwardedUser(id="u-1", name="Zoë Müller")


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims: object = CLAIMS, *, head: object = None, secret: str = TEXT) -> str:
    header = json.dumps(head or {"alg": "HS256", "typ": "JWT"}).encode()
    signed = part(header) + "." + part(json.dumps(claims).encode())
    return signed + "." + part(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))


def user_of(text: str, *, now_unix_s: float = NOW_S) -> ForwardedUser | None:
    return forwarded_user({TOKEN_HEADER: text}, SECRET, now_unix_s=now_unix_s)


def test_a_token_names_its_user() -> None:
    assert user_of(token()) == ZOE


def test_the_example_of_the_standard_has_our_signature() -> None:
    """RFC 7515, appendix A.1: its own octets, key and signature; its claims are another issuer's."""
    key = base64.urlsafe_b64decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
    )
    signed = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    assert part(hmac.digest(key, signed.encode(), hashlib.sha256)) == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": None}, "zoe@example.com"),
        ({"name": "", "email": None}, "u-1"),
    ],
)
def test_a_user_without_a_name_has_their_address_or_id(claims: dict[str, object], name: str) -> None:
    assert user_of(token({**CLAIMS, **claims})) == ForwardedUser(id="u-1", name=name)


def test_without_a_token_a_service_calls_for_itself() -> None:
    assert forwarded_user({}, SECRET, now_unix_s=NOW_S) is None
    assert forwarded_user({}, UNSET, now_unix_s=NOW_S) is None


@pytest.mark.parametrize("after_s", [0.0, 300.0, 300.0 + CLOCK_SKEW_S - 0.5, -CLOCK_SKEW_S])
def test_a_token_is_good_until_it_expires_give_or_take_the_clocks(after_s: float) -> None:
    assert user_of(token(), now_unix_s=NOW_S + after_s) == ZOE


@pytest.mark.parametrize(
    ("after_s", "text"), [(300.0 + CLOCK_SKEW_S, "expired"), (-CLOCK_SKEW_S - 0.5, "of the future")]
)
def test_a_token_out_of_its_time_is_refused(after_s: float, text: str) -> None:
    with pytest.raises(Forbidden, match=text):
        user_of(token(), now_unix_s=NOW_S + after_s)


def test_a_token_is_not_used_before_its_time() -> None:
    with pytest.raises(Forbidden, match="of the future"):
        user_of(token({**CLAIMS, "nbf": NOW_S + 100}))


@pytest.mark.parametrize(
    "head",
    [
        {"alg": "none"},
        {"alg": "HS512"},
        {"alg": "RS256"},
        {"typ": "JWT"},
        {"alg": "HS256", "crit": ["exp"]},
        ["HS256"],
    ],
)
def test_only_hs256_is_read_even_when_the_signature_holds(head: object) -> None:
    with pytest.raises(Forbidden, match="not an HS256 token"):
        user_of(token(head=head))


@pytest.mark.parametrize("missing", ["sub", "iss", "exp"])
def test_a_token_without_subject_issuer_or_end_is_refused(missing: str) -> None:
    with pytest.raises(Forbidden, match="not an HS256 token"):
        user_of(token({name: value for name, value in CLAIMS.items() if name != missing}))


@pytest.mark.parametrize("change", [{"iss": "someone"}, {"exp": "soon"}, {"sub": 7}, {"exp": None}])
def test_claims_of_another_issuer_or_form_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(Forbidden, match="not an HS256 token"):
        user_of(token({**CLAIMS, **change}))


@pytest.mark.parametrize(
    "text", [token(secret="another secret of a similar length"), "a.b.c", ".", "x", "ä.ö.ü", "\udcff."]
)
def test_what_is_not_signed_with_our_secret_is_refused(text: str) -> None:
    with pytest.raises(Forbidden, match="not signed"):
        user_of(text)


def test_a_token_may_have_so_many_characters_and_not_one_more() -> None:
    padding = next(n for n in range(TOKEN_CHARS_MAX) if len(token({**CLAIMS, "pad": "x" * n})) == TOKEN_CHARS_MAX)
    assert user_of(token({**CLAIMS, "pad": "x" * padding})) == ZOE
    with pytest.raises(Forbidden, match="more than"):
        user_of(token({**CLAIMS, "pad": "x" * (padding + 1)}) + "x")


def test_with_a_secret_plain_headers_say_nothing() -> None:
    assert forwarded_user({ID_HEADER: "u-2", EMAIL_HEADER: "eve@example.com"}, SECRET, now_unix_s=NOW_S) is None
    assert forwarded_user({ID_HEADER: "u-2", TOKEN_HEADER: token()}, SECRET, now_unix_s=NOW_S) == ZOE


def test_without_a_secret_plain_headers_are_believed_and_tokens_refused() -> None:
    headers = {ID_HEADER: "u-1", NAME_HEADER: "Zo%C3%AB M%C3%BCller", EMAIL_HEADER: "zoe@example.com"}
    assert forwarded_user(headers, UNSET, now_unix_s=NOW_S) == ZOE
    with pytest.raises(Forbidden, match="CORRAL_GATEWAY_FORWARDED_USER_SECRET"):
        forwarded_user({**headers, TOKEN_HEADER: token()}, UNSET, now_unix_s=NOW_S)


def test_an_address_alone_tells_users_apart() -> None:
    user = forwarded_user({EMAIL_HEADER: "zoe@example.com"}, UNSET, now_unix_s=NOW_S)
    assert user == ForwardedUser(id="zoe@example.com", name="zoe@example.com")


@pytest.mark.parametrize("user_id", ["x" * (ID_CHARS_MAX + 1), "two words", "zoë", "new\nline"])
def test_an_id_that_cannot_stand_in_a_key_is_refused(user_id: str) -> None:
    with pytest.raises(Forbidden, match="visible ASCII"):
        forwarded_user({ID_HEADER: user_id}, UNSET, now_unix_s=NOW_S)
    with pytest.raises(Forbidden, match="visible ASCII"):
        user_of(token({**CLAIMS, "sub": user_id}))


def test_an_id_at_the_limit_is_accepted() -> None:
    user = forwarded_user({ID_HEADER: "x" * ID_CHARS_MAX}, UNSET, now_unix_s=NOW_S)
    assert user is not None
    assert user.id == "x" * ID_CHARS_MAX


@pytest.mark.parametrize(
    ("text", "starts"),
    [("", True), ("x" * SECRET_BYTES_MIN, True), ("x" * (SECRET_BYTES_MIN - 1), False), ("ä" * 16, True)],
)
def test_a_secret_that_can_be_guessed_stops_the_start(text: str, starts: bool) -> None:
    assert (secret_problem(Secret(text)) is None) is starts
