"""Laws of forwarded users: what our secret did not sign is nobody, whatever it looks like."""

import base64
import hashlib
import hmac
import json
import string
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from services.gateway.forwarded_users import TOKEN_HEADER, ForwardedUser, forwarded_user
from shared.errors import Forbidden
from shared.settings import Secret

NOW_S = 1_700_000_000.0
ALPHABET = string.ascii_letters + string.digits + "-_."
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=128)
SECRETS = st.text(st.characters(codec="utf-8"), min_size=32, max_size=64)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sealed(signed: str, secret: str) -> str:
    return signed + "." + part(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))


def token(secret: str, claims: object, head: object = None) -> str:
    header = json.dumps(head or {"alg": "HS256"}).encode()
    return sealed(part(header) + "." + part(json.dumps(claims).encode()), secret)


def claims_of(user_id: str) -> dict[str, Any]:
    return {"sub": user_id, "iss": "open-webui", "iat": NOW_S, "exp": NOW_S + 300}


def accepted(text: str, secret: str, now_unix_s: float = NOW_S) -> ForwardedUser | None:
    """The user, or None when refused."""
    try:
        return forwarded_user({TOKEN_HEADER: text}, Secret(secret), now_unix_s=now_unix_s)
    except Forbidden:
        return None


@given(IDS, SECRETS)
def test_a_good_token_is_its_subjects(user_id: str, secret: str) -> None:
    user = accepted(token(secret, claims_of(user_id)), secret)
    assert user is not None
    assert user.id == user_id


@given(IDS, SECRETS, st.data())
def test_a_token_with_one_character_changed_is_refused(user_id: str, secret: str, data: st.DataObject) -> None:
    good = token(secret, claims_of(user_id))
    at = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.sampled_from(ALPHABET).filter(lambda char: char != good[at]))
    assert accepted(good[:at] + other + good[at + 1 :], secret) is None


@given(IDS, SECRETS, st.data())
def test_a_token_cut_or_lengthened_is_refused(user_id: str, secret: str, data: st.DataObject) -> None:
    good = token(secret, claims_of(user_id))
    cut = data.draw(st.integers(1, len(good) - 1))
    assert accepted(good[:cut], secret) is None
    assert accepted(good + data.draw(st.sampled_from(ALPHABET + "=")), secret) is None


@given(IDS, SECRETS, SECRETS)
def test_another_secret_signs_nothing_here(user_id: str, secret: str, other: str) -> None:
    assume(secret.encode() != other.encode())
    assert accepted(token(other, claims_of(user_id)), secret) is None


@given(IDS, IDS, SECRETS)
def test_the_claims_of_one_token_do_not_go_with_the_signature_of_another(one: str, two: str, secret: str) -> None:
    assume(one != two)
    head, payload, _ = token(secret, claims_of(one)).split(".")
    signature = token(secret, claims_of(two)).rpartition(".")[2]
    assert accepted(f"{head}.{payload}.{signature}", secret) is None


@given(SECRETS, st.text(max_size=200))
def test_any_text_is_refused_and_breaks_nothing(secret: str, text: str) -> None:
    assume(text)
    assert accepted(text, secret) is None


@given(SECRETS, JSONS, JSONS)
def test_signed_nonsense_is_refused_and_breaks_nothing(secret: str, head: object, claims: object) -> None:
    assert accepted(token(secret, claims, head or {"alg": "none"}), secret) is None


@given(SECRETS, st.binary(max_size=60), st.binary(max_size=60))
def test_signed_bytes_that_are_no_json_break_nothing(secret: str, head: bytes, payload: bytes) -> None:
    assert accepted(sealed(part(head) + "." + part(payload), secret), secret) is None
    assert accepted(sealed(head.decode("latin-1"), secret), secret) is None


@given(IDS, SECRETS, st.floats(0, 4e9))
def test_only_its_own_five_minutes_and_the_clocks_difference_are_a_tokens_time(
    user_id: str, secret: str, now_unix_s: float
) -> None:
    within = NOW_S - 30 <= now_unix_s < NOW_S + 330
    assert (accepted(token(secret, claims_of(user_id)), secret, now_unix_s) is not None) is within
