"""For whom a service calls: Open WebUI's signed token of its user, or its plain headers. Pure; whose word counts is
`access.py`'s to say.

    with a secret     X-OpenWebUI-User-Jwt: header.claims.signature    HS256, about five minutes of life
    without one       X-OpenWebUI-User-Id, -Email, -Name               as the service says

The role of either form is not read: it is Open WebUI's and gives no rights here.
Source: RFC 7515 (compact serialization), RFC 7518 §3.2, RFC 7519; Open WebUI's ENABLE_FORWARD_USER_INFO_HEADERS.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import unquote

import msgspec

from shared.errors import Forbidden
from shared.settings import Secret

TOKEN_HEADER: Final = "X-OpenWebUI-User-Jwt"  # noqa: S105  the name of a header
ID_HEADER: Final = "X-OpenWebUI-User-Id"
EMAIL_HEADER: Final = "X-OpenWebUI-User-Email"
NAME_HEADER: Final = "X-OpenWebUI-User-Name"

ISSUER: Final = "open-webui"
SECRET_BYTES_MIN: Final = 32  # RFC 7518 §3.2: no shorter than the hash
TOKEN_CHARS_MAX: Final = 4096
ID_CHARS_MAX: Final = 128
NAME_CHARS_MAX: Final = 256
CLOCK_SKEW_S: Final = 30.0

_ID = re.compile(rf"[!-~]{{1,{ID_CHARS_MAX}}}")  # it becomes part of Redis keys and of log lines


class ForwardedUser(msgspec.Struct, frozen=True, kw_only=True):
    """A person the service vouches for. `id` tells its users apart and never changes; `name` is for people to read."""

    id: str
    name: str


class _Header(msgspec.Struct, frozen=True):
    """RFC 7515 §4.1.11: a token whose `crit` is not understood, and here nothing is, must be refused."""

    alg: Literal["HS256"]
    crit: None = None


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    sub: str
    iss: Literal["open-webui"]
    exp: float
    iat: float = 0.0
    nbf: float = 0.0
    email: str | None = None
    name: str | None = None


def secret_problem(secret: Secret) -> str | None:
    """Why tokens must not be checked with this secret, or None; an unset one checks none."""
    if secret and len(secret.reveal().encode()) < SECRET_BYTES_MIN:
        return (
            f"CORRAL_GATEWAY_FORWARDED_USER_SECRET has fewer than {SECRET_BYTES_MIN} bytes, so whoever sees a token "
            "could find it out: use a long random text, the same as Open WebUI's FORWARD_USER_INFO_HEADER_JWT_SECRET"
        )
    return None


def forwarded_user(headers: Mapping[str, str], secret: Secret, *, now_unix_s: float) -> ForwardedUser | None:
    """The user whom a service calls for; None when it calls for itself.

    Raises: Forbidden for a token or an id that does not hold. Falling back to the service would let all its users
        share one place in the queue without anybody noticing.
    """
    token = headers.get(TOKEN_HEADER, "")
    if not secret:
        if token:
            raise Forbidden(
                f"this server has no secret to check {TOKEN_HEADER} with; an operator can set "
                "CORRAL_GATEWAY_FORWARDED_USER_SECRET"
            )
        return _unsigned(headers)
    return _signed(token, secret, now_unix_s) if token else None


def _unsigned(headers: Mapping[str, str]) -> ForwardedUser | None:
    email = headers.get(EMAIL_HEADER, "").strip()
    user_id = headers.get(ID_HEADER, "").strip() or email
    if not user_id:
        return None
    return _user(user_id, unquote(headers.get(NAME_HEADER, "")) or email)


def _signed(token: str, secret: Secret, now_unix_s: float) -> ForwardedUser:
    """Raises: Forbidden. Nothing of the token is read before its signature holds."""
    if len(token) > TOKEN_CHARS_MAX:
        raise Forbidden(f"{TOKEN_HEADER} has more than {TOKEN_CHARS_MAX} characters")
    signed, _, signature = token.rpartition(".")
    # The encoded forms are compared, so that a signature has exactly one spelling.
    if not hmac.compare_digest(_signature(signed, secret), signature.encode("utf-8", "surrogateescape")):
        raise Forbidden(f"{TOKEN_HEADER} is not signed with this server's secret")
    try:
        head, _, payload = signed.partition(".")
        msgspec.json.decode(_decoded(head), type=_Header)
        claims = msgspec.json.decode(_decoded(payload), type=_Claims)
    except (ValueError, msgspec.DecodeError) as cause:
        raise Forbidden(f"{TOKEN_HEADER} is not an HS256 token of {ISSUER}: {cause}") from cause
    if now_unix_s >= claims.exp + CLOCK_SKEW_S:
        raise Forbidden(f"{TOKEN_HEADER} has expired; do the clocks of both machines agree?")
    if now_unix_s < max(claims.iat, claims.nbf) - CLOCK_SKEW_S:
        raise Forbidden(f"{TOKEN_HEADER} is of the future; do the clocks of both machines agree?")
    return _user(claims.sub, claims.name or claims.email or "")


def _signature(signed: str, secret: Secret) -> bytes:
    text = signed.encode("utf-8", "surrogateescape")
    return base64.urlsafe_b64encode(hmac.digest(secret.reveal().encode(), text, hashlib.sha256)).rstrip(b"=")


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _user(user_id: str, name: str) -> ForwardedUser:
    if not _ID.fullmatch(user_id):
        raise Forbidden(f"the id of a forwarded user must be 1 to {ID_CHARS_MAX} visible ASCII characters")
    return ForwardedUser(id=user_id, name=name[:NAME_CHARS_MAX] or user_id)
