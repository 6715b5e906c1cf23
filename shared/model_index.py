"""What models exist: the registry publishes it into Redis, all others read it. The store is the registry's own."""

from collections.abc import Iterable
from typing import cast

import msgspec
from redis.asyncio import Redis

from shared import keys
from shared.digest import Digest
from shared.generation import Message
from shared.model_name import ModelName
from shared.redis_client import pending


class ModelDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The `details` object of Ollama's API."""

    parent_model: str = ""
    format: str = "gguf"
    family: str = ""
    families: tuple[str, ...] | None = None
    parameter_size: str = ""
    quantization_level: str = ""


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One model, with everything a gateway or worker needs to serve it.

    `digest` is the bare hex of the manifest's bytes. `weights` identifies what is resident: names that share it share
    a runner. `kv_bytes_per_token` is the size of one token's keys and values at 16 bits.
    """

    name: ModelName
    digest: str
    weights: Digest
    weights_bytes: int
    size_bytes: int
    modified_unix_ms: int
    details: ModelDetails
    capabilities: tuple[str, ...]
    context_length: int
    embedding_length: int
    kv_bytes_per_token: int
    system: str = ""
    template: str | None = None
    messages: tuple[Message, ...] = ()
    params: dict[str, object] = {}


class ModelIndex:
    """The index in Redis; `publish` is the registry's alone."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(ModelEntry)

    async def publish(self, entries: Iterable[ModelEntry]) -> None:
        """Replace the whole index in one transaction: a reader sees the old one or the new one."""
        fields = {entry.name.folded: self._encoder.encode(entry) for entry in entries}
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(keys.MODELS)
            if fields:
                pipe.hset(keys.MODELS, mapping=fields)
            await pipe.execute()

    async def published(self) -> int:
        """How many models the index holds now."""
        return await pending(self._redis.hlen(keys.MODELS))

    async def find(self, name: ModelName) -> ModelEntry | None:
        """The model of that name, letter case aside."""
        body = await pending(self._redis.hget(keys.MODELS, name.folded))
        return None if body is None else self._decoder.decode(cast("bytes", body))

    async def all(self) -> list[ModelEntry]:
        """Every model, newest first."""
        bodies = await pending(self._redis.hgetall(keys.MODELS))
        entries = [self._decoder.decode(body) for body in bodies.values()]
        return sorted(entries, key=lambda entry: (-entry.modified_unix_ms, entry.name))
