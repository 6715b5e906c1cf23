"""The keys that people and machines show, in Redis: API keys by their hash, Ollama's ssh keys by theirs.

    keys   hash   <sha-256 of the API key>        -> KeyRecord
                  ssh:<sha-256 of the key's blob> -> KeyRecord with a fingerprint

The field of a record is its `credential`: whatever was made with a key ends with it.
"""

import hashlib
import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, cast

import msgspec
from redis.asyncio import Redis

from services.gateway.ssh_keys import SshKey
from shared import keys
from shared.clock import Clock
from shared.errors import KeyTaken, KeyUnknown
from shared.redis_client import pending

KEY_PREFIX: Final = "corral_"
KEY_RANDOM_BYTES: Final = 32
KEY_NAME_CHARS_MAX: Final = 100


class Role(StrEnum):
    USER = "user"
    SERVICE = "service"
    WORKER = "worker"
    ADMIN = "admin"


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a key; never an API key itself. `fingerprint` is an ssh key's.

    Where the key `summarizes`, old turns of long conversations are replaced by a summary of them.
    """

    id: str
    name: str
    role: Role
    created_unix_ms: int
    weight: float = 1.0
    fingerprint: str = ""
    summarizes: bool = False


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def credential_of(key: SshKey) -> str:
    return "ssh:" + hashlib.sha256(key.blob).hexdigest()


class KeyStore:
    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(KeyRecord)

    async def create(self, name: str, role: Role, *, summarizes: bool = False) -> tuple[KeyRecord, str]:
        """Make a key; its text is given back here and never again."""
        key = KEY_PREFIX + secrets.token_urlsafe(KEY_RANDOM_BYTES)
        record = self._new_record(name, role, summarizes=summarizes)
        await self._add(hash_of(key), record)
        return record, key

    async def register(self, name: str, role: Role, key: SshKey, *, summarizes: bool = False) -> KeyRecord:
        """Let an Ollama installation in by the key it has.

        Raises: KeyTaken.
        """
        record = self._new_record(name, role, fingerprint=key.fingerprint, summarizes=summarizes)
        if not await self._add(credential_of(key), record):
            raise KeyTaken(f"the key {key.fingerprint} is registered already; revoke it first to change it")
        return record

    async def at(self, credential: str) -> KeyRecord | None:
        body = await pending(self._redis.hget(keys.API_KEYS, credential))
        return None if body is None else self._decoder.decode(cast("bytes", body))

    async def all(self) -> list[KeyRecord]:
        """Every key's record, oldest first."""
        records = (await self.by_credential()).values()
        return sorted(records, key=lambda record: (record.created_unix_ms, record.id))

    async def by_credential(self) -> dict[str, KeyRecord]:
        bodies = await pending(self._redis.hgetall(keys.API_KEYS))
        return {credential.decode(): self._decoder.decode(body) for credential, body in bodies.items()}

    async def put(self, *, added: Mapping[str, KeyRecord], replaced: Mapping[str, KeyRecord]) -> None:
        """Write records by credential, all at once. One that is added takes the place of none that came meanwhile."""
        async with self._redis.pipeline(transaction=True) as commands:
            for credential, record in added.items():
                commands.hsetnx(keys.API_KEYS, credential, cast("str", self._encoder.encode(record)))
            for credential, record in replaced.items():
                commands.hset(keys.API_KEYS, credential, cast("str", self._encoder.encode(record)))
            await commands.execute()

    async def count(self) -> int:
        return await pending(self._redis.hlen(keys.API_KEYS))

    async def revoke(self, key_id: str) -> None:
        """Raises: KeyUnknown."""
        bodies = await pending(self._redis.hgetall(keys.API_KEYS))
        for credential, body in bodies.items():
            if self._decoder.decode(body).id == key_id:
                await pending(self._redis.hdel(keys.API_KEYS, credential))
                return
        raise KeyUnknown(f"key '{key_id}' not found")

    def _new_record(self, name: str, role: Role, *, summarizes: bool, fingerprint: str = "") -> KeyRecord:
        return KeyRecord(
            id="key_" + secrets.token_hex(8),
            name=name,
            role=role,
            created_unix_ms=self._clock.unix_ms(),
            fingerprint=fingerprint,
            summarizes=summarizes,
        )

    async def _add(self, credential: str, record: KeyRecord) -> bool:
        """Whether the record is new; one that is there is not replaced."""
        body = cast("str", self._encoder.encode(record))
        return bool(await pending(self._redis.hsetnx(keys.API_KEYS, credential, body)))
