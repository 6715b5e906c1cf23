"""What a registry's 401 asks for, and where and how a token is to be asked for. Pure.

Source: RFC 9110 §11.6.1 (challenges), CNCF distribution `spec/auth/token`, Ollama `server/auth.go`.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec
from yarl import URL

from services.registry.upstream.policy import split_host
from services.registry.upstream.redirects import next_url
from shared.errors import UpstreamFailed, UpstreamRefused
from shared.settings import Secret, SettingsInvalid

ACCESS_DENIED: Final = "unauthorized: access denied"

PLAIN_HTTP: Final = "http://"
"""Begins the entry of a registry that may be shown a login or a key where everybody on the way can read them."""

_SCHEME = re.compile(r"\s*(?:,\s*)*(?P<scheme>[!#$%&'*+.^_`|~0-9A-Za-z-]+)(?=\s|,|$)")
_PARAMETER = re.compile(
    r"\s*(?:,\s*)*(?P<key>[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))\s*(?=,|$)'
)
_TOKEN = re.compile(r"[!-~]+")


class BearerChallenge(msgspec.Struct, frozen=True, kw_only=True):
    """The registry wants a token from `realm`."""

    realm: str
    service: str = ""
    scopes: tuple[str, ...] = ()


class BasicChallenge(msgspec.Struct, frozen=True):
    """The registry wants name and password themselves."""


class Credentials(msgspec.Struct, frozen=True):
    """A user's name and password at one registry."""

    user: str
    password: Secret

    @property
    def header(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password.reveal()}".encode()).decode()


class TokenReply(msgspec.Struct, frozen=True):
    token: str | None = None
    access_token: str | None = None


def parse_challenges(headers: Iterable[str]) -> BearerChallenge | BasicChallenge | None:
    """The first challenge that can be met, Bearer before Basic; None when there is none."""
    found: dict[str, dict[str, str]] = {}
    for header in headers:
        for scheme, parameters in _challenges(header):
            found.setdefault(scheme, parameters)
    bearer = found.get("bearer", {})
    if bearer.get("realm"):
        scopes = tuple(bearer.get("scope", "").split())
        return BearerChallenge(realm=bearer["realm"], service=bearer.get("service", ""), scopes=scopes)
    return BasicChallenge() if "basic" in found else None


def _challenges(header: str) -> Iterable[tuple[str, dict[str, str]]]:
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            position = parameter.end()
            quoted = parameter["quoted"]
            value = parameter["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(parameter["key"].lower(), value)
        yield scheme["scheme"].lower(), parameters


def token_url(registry: URL, challenge: BearerChallenge, extra: Mapping[str, str]) -> URL:
    """The URL to get a token from; its query is sorted and quoted as Go does, for the signature covers it.

    Raises: UpstreamFailed for a realm that is no URL, UpstreamForbidden for one that leaves https.
    """
    realm = next_url(registry, challenge.realm)
    query = [*realm.query.items(), *extra.items(), *(("scope", scope) for scope in challenge.scopes)]
    if challenge.service:
        query.append(("service", challenge.service))
    query.sort(key=lambda item: item[0])
    return URL(f"{realm.with_query(None)}?{urlencode(query)}" if query else str(realm), encoded=True)


def check_realm(registry: URL, token: URL) -> None:
    """Before signing: a signature for another host could be shown to this one by whoever got it.

    Raises: UpstreamRefused.
    """
    if (token.raw_host, token.port) != (registry.raw_host, registry.port):
        raise UpstreamRefused(
            f'realm host "{token.host_port_subcomponent}" does not match '
            f'original host "{registry.host_port_subcomponent}"'
        )


def signed_bytes(url: URL) -> bytes:
    """What the key signs: method, URL, and the digest of the empty body."""
    nothing = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
    return f"GET,{url},{nothing}".encode()


def read_token(content: bytes) -> str:
    """The token in a token server's reply.

    Raises: UpstreamFailed.
    """
    try:
        reply = msgspec.json.decode(content, type=TokenReply)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise UpstreamFailed("the token server's answer is not JSON") from cause
    token = reply.token or reply.access_token or ""
    if not _TOKEN.fullmatch(token):
        raise UpstreamFailed("the token server sent no token")
    return token


def parse_credentials(text: Secret) -> dict[str, Credentials | None]:
    """Read `[http://]host=user:password`, comma-separated; the host as it stands in model names.

    `http://host` alone, with None in the result, lets the key be shown there over plain http.

    Raises: SettingsInvalid, without showing a password.
    """
    found: dict[str, Credentials | None] = {}
    for number, entry in enumerate(filter(None, map(str.strip, text.reveal().split(","))), start=1):
        origin, equals, login = entry.partition("=")
        origin = origin.strip().lower()
        user, colon, password = login.partition(":")
        is_key_only = origin.startswith(PLAIN_HTTP) and not equals
        if split_host(origin.removeprefix(PLAIN_HTTP)) is None or not (is_key_only or (user and colon)):
            raise SettingsInvalid(
                f"CORRAL_REGISTRY_UPSTREAM_CREDENTIALS: entry {number} is no [http://]host=user:password"
            )
        found[origin] = None if is_key_only else Credentials(user, Secret(password))
    return found
