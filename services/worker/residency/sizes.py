"""How many bytes a model takes, in the machine's memory and on its GPUs, from its GGUF's figures. Pure."""

from bisect import bisect_left
from typing import Final

import msgspec

from shared.model_index import ModelEntry

COMPUTE_BYTES: Final = 192 << 20
"""A runner's own memory and llama.cpp's compute buffers at the default batch size."""

PROJECTOR_BYTES: Final = 384 << 20
"""What a projector takes beside its weights: compute buffers, embeddings that are kept, pictures being decoded."""

HEAD_LENGTH: Final = 64
"""The usual size of an attention head; the index does not know how many a model has."""

MEMORY_SHARE: Final = 0.8
"""Of the machine's memory, what models may take when nothing else is configured."""

DEVICE_MEMORY_SHARE: Final = 0.9
"""Of what is free on the GPUs when the worker starts, likewise. A driver keeps some for each process."""

OUTPUT_LAYERS: Final = 2
"""The output counts as one layer for llama.cpp and weighs about as much as this many: it has a row for every token."""


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes in the machine's memory, and on all its GPUs together."""

    host_bytes: int = 0
    device_bytes: int = 0

    def __add__(self, other: "Footprint") -> "Footprint":
        return Footprint(
            host_bytes=self.host_bytes + other.host_bytes, device_bytes=self.device_bytes + other.device_bytes
        )

    def __sub__(self, other: "Footprint") -> "Footprint":
        return Footprint(
            host_bytes=self.host_bytes - other.host_bytes, device_bytes=self.device_bytes - other.device_bytes
        )

    def fits_in(self, room: "Footprint") -> bool:
        return self.host_bytes <= room.host_bytes and self.device_bytes <= room.device_bytes

    @property
    def total_bytes(self) -> int:
        return self.host_bytes + self.device_bytes


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is opened, as far as memory is concerned.

    `scored_tokens` is how many tokens of a batch look at the whole context at once; flash attention keeps none of that.
    `device_layers` of its layers are on GPUs, the output first and then the last blocks.
    """

    context_tokens: int
    slots_count: int
    scored_tokens: int = 0
    device_layers: int = 0


def layers_count(entry: ModelEntry) -> int:
    """As llama.cpp counts them: the blocks and the output."""
    return entry.blocks_count + 1


def footprint(entry: ModelEntry, opening: Opening) -> Footprint:
    """Where the model's bytes are: a share of weights, keys and values as large as its share of layers is on GPUs.

    With all layers there nothing worth counting stays in the machine's memory. Attention's scores are counted on GPUs
    only: `COMPUTE_BYTES` and the reserve have been enough for them elsewhere.
    """
    total_bytes = model_bytes(entry, context_tokens=opening.context_tokens, slots_count=opening.slots_count)
    if opening.device_layers == 0:
        return Footprint(host_bytes=total_bytes)
    scores_bytes = 0 if entry.embeds else _attention_bytes(entry) * opening.scored_tokens * opening.context_tokens
    layers = layers_count(entry)
    if opening.device_layers >= layers:
        return Footprint(device_bytes=total_bytes + scores_bytes)
    divided_bytes = total_bytes - COMPUTE_BYTES
    moved_layers = min(layers, opening.device_layers + OUTPUT_LAYERS - 1)
    moved_bytes = -(-divided_bytes * moved_layers // layers)
    return Footprint(host_bytes=total_bytes - moved_bytes, device_bytes=moved_bytes + COMPUTE_BYTES + scores_bytes)


def device_layers(entry: ModelEntry, opening: Opening, *, wanted: int, device_bytes: int) -> int:
    """How many layers to put on GPUs: `wanted`, or below zero as many as fit into `device_bytes`.

    Where there is no room at all there are no GPUs, and what was wanted of them is left to the CPU.
    """
    layers = layers_count(entry)
    if device_bytes == 0:
        return 0
    if wanted >= 0:
        return min(wanted, layers)

    def is_too_much(count: int) -> bool:
        taken = footprint(entry, msgspec.structs.replace(opening, device_layers=count))
        return taken.device_bytes > device_bytes

    return bisect_left(range(1, layers + 1), True, key=is_too_much)


def context_tokens_fitting(entry: ModelEntry, opening: Opening, *, room: Footprint) -> int:
    """The largest context a slot can have within `room`, no more than the model was trained for."""

    def is_too_much(context_tokens: int) -> bool:
        return not footprint(entry, msgspec.structs.replace(opening, context_tokens=context_tokens)).fits_in(room)

    return bisect_left(range(1, entry.context_length + 1), True, key=is_too_much)


def model_bytes(entry: ModelEntry, *, context_tokens: int, slots_count: int) -> int:
    """Weights, adapters and projector, keys and values of every slot's whole context, and compute buffers.

    A model that embeds has one context for all, and computes attention between all its tokens at once.
    """
    own_bytes = entry.weights_bytes + COMPUTE_BYTES + (0 if entry.projector is None else PROJECTOR_BYTES)
    if entry.embeds:
        return own_bytes + (entry.kv_bytes_per_token + _attention_bytes(entry) * context_tokens) * context_tokens
    return own_bytes + entry.kv_bytes_per_token * context_tokens * slots_count


def _attention_bytes(entry: ModelEntry) -> int:
    """What one token's look at another takes: a 32-bit score in every head."""
    return 4 * max(1, entry.embedding_length // HEAD_LENGTH)
