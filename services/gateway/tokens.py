"""Registry tokens and the secret part of blobs' own URLs: random texts, kept in Redis by their hash."""

import hashlib
import secrets
from typing import Final, cast

import msgspec
from redis.asyncio import Redis

from services.gateway.key_store import hash_of
from services.gateway.signatures import SKEW_S_MAX
from services.gateway.ssh_keys import SshKey
from shared import keys
from shared.redis_client import pending

TOKEN_PREFIX: Final = "registry_"  # noqa: S105  what tells ours from others'
TOKEN_RANDOM_BYTES: Final = 32
NONCE_KEPT_S: Final = 2 * SKEW_S_MAX  # a signature may come early by the allowed skew and stays fresh as long after


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a token opens: what the holder of `credential` may read, with `may_push` also write; or only one `blob`.

    An empty `credential` is everybody, where no keys are required.
    """

    credential: str
    may_push: bool = False
    blob: str = ""


class Tokens:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Grant)

    async def issue(self, grant: Grant, *, life_s: float) -> str:
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_RANDOM_BYTES)
        body = self._encoder.encode(grant)
        await pending(self._redis.set(keys.token(hash_of(token)), body, px=round(life_s * 1000)))
        return token

    async def find(self, token: str) -> Grant | None:
        """What a token opens; None when it never was or has expired."""
        body = await pending(self._redis.get(keys.token(hash_of(token))))
        return None if body is None else self._decoder.decode(cast("bytes", body))

    async def is_first_use(self, nonce: str, key: SshKey) -> bool:
        """Whether this key signs with this nonce for the first time; from now on it does not."""
        used = keys.nonce(hashlib.sha256(key.blob + nonce.encode("utf-8", "surrogateescape")).hexdigest())
        return bool(await pending(self._redis.set(used, b"", nx=True, ex=NONCE_KEPT_S)))
