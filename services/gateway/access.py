"""Who is asking and what they may do: API keys to Principals, and the rules over roles. No HTTP, no sessions."""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, cast

import msgspec
from redis.asyncio import Redis

from shared import keys
from shared.clock import Clock
from shared.errors import CorralError, Forbidden, KeyUnknown, Unauthenticated
from shared.redis_client import pending
from shared.settings import Secret

KEY_PREFIX: Final = "corral_"
KEY_RANDOM_BYTES: Final = 32
KEY_HEADER_CHARS_MAX: Final = 256


class Role(StrEnum):
    USER = "user"
    SERVICE = "service"
    ADMIN = "admin"


class Need(StrEnum):
    """What a route asks of its caller."""

    NOTHING = "nothing"
    KEY = "key"
    ADMIN = "admin"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind a request. Cached prefixes stay within `tenant`; the fair queue charges `user`."""

    tenant: str
    user: str
    name: str
    role: Role
    weight: float = 1.0


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of an API key; never the key."""

    id: str
    name: str
    role: Role
    created_unix_ms: int
    weight: float = 1.0


LOCAL_ADMIN: Final = Principal(tenant="local", user="local", name="local", role=Role.ADMIN)
BOOTSTRAP_ADMIN: Final = Principal(tenant="admin", user="admin", name="admin_key", role=Role.ADMIN)


def token_from(headers: Mapping[str, str]) -> str | None:
    """The API key a request carries: a bearer token, or Anthropic's header."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-api-key", "").strip() or None


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def refusal(principal: Principal | None, need: Need, *, is_native_api: bool) -> CorralError | None:
    """Why this caller may not use a route, or None.

    A missing key is 403 in Ollama's API, because its command line answers every 401 with a sign-in to ollama.com.
    """
    if need is Need.NOTHING:
        return None
    if principal is None:
        text = "this server needs an API key: send it as 'Authorization: Bearer <key>'"
        return Forbidden(text) if is_native_api else Unauthenticated(text)
    if need is Need.ADMIN and principal.role is not Role.ADMIN:
        return Forbidden("managing models and keys needs an API key with the role admin")
    return None


def start_problem(*, host: str, require_keys: bool, admin_key_is_set: bool, keys_count: int) -> str | None:
    """Why the gateway must not start with these settings, or None."""
    if not require_keys and not is_loopback(host):
        return (
            f"listening on {host} without API keys would let everyone in: set CORRAL_GATEWAY_REQUIRE_KEYS=true, "
            "or listen on 127.0.0.1"
        )
    if require_keys and not admin_key_is_set and keys_count == 0:
        return (
            "API keys are required but there are none: set CORRAL_GATEWAY_ADMIN_KEY (or CORRAL_GATEWAY_ADMIN_KEY_FILE) "
            "to a long random text and make keys with it at /api/keys"
        )
    return None


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class KeyStore:
    """The API keys in Redis: a hash from SHA-256 to record."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(KeyRecord)

    async def create(self, name: str, role: Role) -> tuple[KeyRecord, str]:
        """Make a key; its text is given back here and never again."""
        key = KEY_PREFIX + secrets.token_urlsafe(KEY_RANDOM_BYTES)
        record = KeyRecord(
            id="key_" + secrets.token_hex(8), name=name, role=role, created_unix_ms=self._clock.unix_ms()
        )
        await pending(self._redis.hset(keys.API_KEYS, hash_of(key), cast("str", self._encoder.encode(record))))
        return record, key

    async def find(self, key: str) -> KeyRecord | None:
        body = await pending(self._redis.hget(keys.API_KEYS, hash_of(key)))
        return None if body is None else self._decoder.decode(cast("bytes", body))

    async def all(self) -> list[KeyRecord]:
        """Every key's record, oldest first."""
        bodies = await pending(self._redis.hgetall(keys.API_KEYS))
        records = [self._decoder.decode(body) for body in bodies.values()]
        return sorted(records, key=lambda record: (record.created_unix_ms, record.id))

    async def count(self) -> int:
        return await pending(self._redis.hlen(keys.API_KEYS))

    async def revoke(self, key_id: str) -> None:
        """Raises: KeyUnknown."""
        bodies = await pending(self._redis.hgetall(keys.API_KEYS))
        for key_hash, body in bodies.items():
            if self._decoder.decode(body).id == key_id:
                await pending(self._redis.hdel(keys.API_KEYS, key_hash))
                return
        raise KeyUnknown(f"key '{key_id}' not found")


class Access:
    """Turns what a request carries into a Principal."""

    def __init__(self, store: KeyStore, *, admin_key: Secret, require_keys: bool) -> None:
        self._store = store
        self._admin_hash = hash_of(admin_key.reveal()) if admin_key else None
        self._require_keys = require_keys

    async def principal(self, headers: Mapping[str, str]) -> Principal | None:
        """The caller; None where a key is required and none was sent.

        Raises: Unauthenticated for one of our keys that is unknown or revoked, even where keys are optional.
        """
        token = token_from(headers)
        if token is not None and len(token) <= KEY_HEADER_CHARS_MAX:
            if self._admin_hash is not None and hmac.compare_digest(hash_of(token), self._admin_hash):
                return BOOTSTRAP_ADMIN
            if token.startswith(KEY_PREFIX):
                return await self._known(token)
        return None if self._require_keys else LOCAL_ADMIN

    async def _known(self, token: str) -> Principal:
        record = await self._store.find(token)
        if record is None:
            raise Unauthenticated("this API key is not known or was revoked")
        return Principal(tenant=record.id, user=record.id, name=record.name, role=record.role, weight=record.weight)
