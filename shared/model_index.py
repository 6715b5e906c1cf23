"""What models exist: the registry publishes it into Redis, all others read it. The store is the registry's own."""

from collections.abc import Sequence
from typing import Final, cast

import msgspec
from redis.asyncio import Redis

from shared import keys
from shared.digest import Digest, digest_of
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
    a runner. It is the digest of the weights' blob, or of all that is opened together (`resident_weights`), and
    `weights_bytes` counts all of it. `kv_bytes_per_token` is the size of one token's keys and values at 16 bits.
    `blocks_count` is how many transformer blocks the weights have, 0 where the index does not say.
    `template` is the model's own Go template where Ollama's rules choose it; None leaves it to the weights' file.
    `projector` is the blob that turns images or sound into the model's own embeddings.
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
    blocks_count: int = 0
    system: str = ""
    template: str | None = None
    messages: tuple[Message, ...] = ()
    params: dict[str, object] = {}
    base_weights: Digest | None = None
    adapters: tuple[Digest, ...] = ()
    projector: Digest | None = None
    parser: str = ""

    @property
    def embeds(self) -> bool:
        """Whether the model is opened to give vectors, and therefore not to write text."""
        return "embedding" in self.capabilities and "completion" not in self.capabilities

    @property
    def weights_blob(self) -> Digest:
        """The blob that a worker opens; adapters and projector come with it."""
        return self.base_weights or self.weights


def resident_weights(weights: Digest, companions: Sequence[Digest]) -> Digest:
    """What identifies weights in memory: what is opened with them (adapters, a projector) makes others of the blob."""
    return digest_of("\n".join((weights, *companions)).encode()) if companions else weights


REPLACED_KEPT_S: Final = 3600
"""How long weights that no model has any more can be found, for what asked for them before; as long as their blobs."""


class ModelIndex:
    """The index in Redis; `publish` is the registry's alone.

    An entry that another version of Corral wrote in a way this one cannot read counts as absent: the registry of this
    version replaces it.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(ModelEntry)

    async def publish(self, entries: Sequence[ModelEntry]) -> None:
        """Replace the whole index in one transaction: a reader sees the old one or the new one."""
        fields = {entry.name.folded: self._encoder.encode(entry) for entry in entries}
        still_there = {entry.weights for entry in entries}
        replaced = [entry for entry in await self.all() if entry.weights not in still_there]
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(keys.MODELS)
            for entry in replaced:
                pipe.set(keys.replaced_model(entry.weights), self._encoder.encode(entry), ex=REPLACED_KEPT_S)
            if fields:
                pipe.hset(keys.MODELS, mapping=fields)
            await pipe.execute()

    async def published(self) -> int:
        """How many models the index holds now."""
        return await pending(self._redis.hlen(keys.MODELS))

    async def find(self, name: ModelName) -> ModelEntry | None:
        """The model of that name, letter case aside."""
        body = await pending(self._redis.hget(keys.MODELS, name.folded))
        return self._decoded(body)

    async def find_weights(self, name: ModelName, weights: Digest) -> ModelEntry | None:
        """What a model was when a request asked for it, which may be before it was replaced."""
        entry = await self.find(name)
        if entry is not None and entry.weights == weights:
            return entry
        for other in await self.all():
            if other.weights == weights:
                return other
        body = await pending(self._redis.get(keys.replaced_model(weights)))
        return self._decoded(body)

    async def all(self) -> list[ModelEntry]:
        """Every model, newest first."""
        bodies = await pending(self._redis.hgetall(keys.MODELS))
        entries = [entry for body in bodies.values() if (entry := self._decoded(body)) is not None]
        return sorted(entries, key=lambda entry: (-entry.modified_unix_ms, entry.name))

    def _decoded(self, body: bytes | str | None) -> ModelEntry | None:
        try:
            return None if body is None else self._decoder.decode(cast("bytes", body))
        except msgspec.DecodeError:
            return None
