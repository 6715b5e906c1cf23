"""What a model takes, and where."""

import msgspec
import pytest

from services.worker.residency.sizes import (
    COMPUTE_BYTES,
    PROJECTOR_BYTES,
    Footprint,
    Opening,
    context_tokens_fitting,
    device_layers,
    footprint,
    model_bytes,
)
from shared.digest import Digest
from shared.model_index import ModelDetails, ModelEntry
from shared.model_name import parse_model_name

ENTRY = ModelEntry(
    name=parse_model_name("tiny"),
    digest="a" * 64,
    weights=Digest("sha256:" + "b" * 64),
    weights_bytes=1_000_000,
    size_bytes=1_000_000,
    modified_unix_ms=0,
    details=ModelDetails(),
    capabilities=("completion",),
    context_length=8192,
    embedding_length=64,
    kv_bytes_per_token=1000,
    blocks_count=9,
)
EMBEDDER = msgspec.structs.replace(ENTRY, capabilities=("embedding",), embedding_length=384)
LARGE = msgspec.structs.replace(ENTRY, weights_bytes=10 << 30)
OPENING = Opening(context_tokens=100, slots_count=4)


def fitting(entry: ModelEntry, memory_bytes: int) -> int:
    """The largest context without GPUs."""
    return context_tokens_fitting(entry, OPENING, room=Footprint(host_bytes=memory_bytes))


def test_a_model_takes_its_weights_and_every_slots_whole_context() -> None:
    assert model_bytes(ENTRY, context_tokens=100, slots_count=4) == 1_000_000 + 400_000 + COMPUTE_BYTES


def test_a_projector_takes_room_of_its_own() -> None:
    seeing = msgspec.structs.replace(ENTRY, projector=Digest("sha256:" + "e" * 64))
    blind_bytes = model_bytes(ENTRY, context_tokens=100, slots_count=4)
    assert model_bytes(seeing, context_tokens=100, slots_count=4) == blind_bytes + PROJECTOR_BYTES
    assert fitting(seeing, COMPUTE_BYTES + PROJECTOR_BYTES + 5_000_000) == 1000


@pytest.mark.parametrize("memory_bytes", [COMPUTE_BYTES + 1_000_000, COMPUTE_BYTES + 5_004_999, COMPUTE_BYTES * 2])
def test_the_largest_fitting_context_fits_and_one_more_token_does_not(memory_bytes: int) -> None:
    tokens = fitting(ENTRY, memory_bytes)
    assert tokens == ENTRY.context_length or (
        model_bytes(ENTRY, context_tokens=tokens, slots_count=4)
        <= memory_bytes
        < model_bytes(ENTRY, context_tokens=tokens + 1, slots_count=4)
    )


def test_a_model_that_embeds_takes_one_context_and_attention_between_all_its_tokens() -> None:
    own_bytes = 100 * 1000 + 100 * 100 * 4 * 6
    assert model_bytes(EMBEDDER, context_tokens=100, slots_count=4) == 1_000_000 + own_bytes + COMPUTE_BYTES


@pytest.mark.parametrize("room_bytes", [0, 1023, 1024, 5_000_000, 1 << 40])
def test_the_largest_fitting_context_of_a_model_that_embeds_fits_and_one_more_token_does_not(room_bytes: int) -> None:
    memory_bytes = COMPUTE_BYTES + EMBEDDER.weights_bytes + room_bytes
    tokens = fitting(EMBEDDER, memory_bytes)
    assert model_bytes(EMBEDDER, context_tokens=tokens, slots_count=4) <= memory_bytes
    too_much = model_bytes(EMBEDDER, context_tokens=tokens + 1, slots_count=4) > memory_bytes
    assert tokens == EMBEDDER.context_length or too_much


@pytest.mark.parametrize("entry", [ENTRY, EMBEDDER])
def test_no_context_fits_where_the_weights_do_not(entry: ModelEntry) -> None:
    assert fitting(entry, 1_000_000) == 0


def test_a_model_without_attention_is_limited_by_its_training_only() -> None:
    recurrent = msgspec.structs.replace(ENTRY, kv_bytes_per_token=0)
    assert fitting(recurrent, COMPUTE_BYTES + 1_000_000) == 8192


def layers_on_gpus(entry: ModelEntry, device_bytes: int, *, wanted: int = -1) -> int:
    return device_layers(entry, OPENING, wanted=wanted, device_bytes=device_bytes)


def test_without_gpus_everything_is_in_the_machines_memory() -> None:
    assert layers_on_gpus(ENTRY, 0) == 0
    assert layers_on_gpus(ENTRY, 0, wanted=99) == 0
    total_bytes = model_bytes(ENTRY, context_tokens=100, slots_count=4)
    assert footprint(ENTRY, OPENING) == Footprint(host_bytes=total_bytes)


def test_a_model_that_fits_goes_to_the_gpus_with_all_its_layers_and_leaves_nothing_behind() -> None:
    assert layers_on_gpus(ENTRY, 1 << 30) == 10
    opening = msgspec.structs.replace(OPENING, device_layers=10)
    total_bytes = model_bytes(ENTRY, context_tokens=100, slots_count=4)
    assert footprint(ENTRY, opening) == Footprint(device_bytes=total_bytes)


def test_half_a_models_memory_takes_less_than_half_its_layers() -> None:
    # The output counts as one layer and weighs as much as two; compute buffers are there on both sides.
    assert layers_on_gpus(LARGE, 5 << 30) == 3
    opening = msgspec.structs.replace(OPENING, device_layers=3)
    where = footprint(LARGE, opening)
    assert round(where.device_bytes / 2**30, 1) == 4.2
    assert round(where.host_bytes / 2**30, 1) == 6.2


def test_what_a_model_or_a_request_says_of_its_layers_wins_over_what_fits() -> None:
    assert layers_on_gpus(ENTRY, 1 << 30, wanted=0) == 0
    assert layers_on_gpus(LARGE, 1 << 30, wanted=5) == 5
    assert layers_on_gpus(ENTRY, 1 << 30, wanted=999) == 10


def test_a_model_whose_blocks_nobody_counted_goes_as_a_whole_or_not_at_all() -> None:
    unknown = msgspec.structs.replace(LARGE, blocks_count=0)
    assert layers_on_gpus(unknown, 10 << 30) == 0
    assert layers_on_gpus(unknown, 11 << 30) == 1
    opening = msgspec.structs.replace(OPENING, device_layers=1)
    assert footprint(unknown, opening).host_bytes == 0


def test_the_scores_of_a_batch_take_room_on_gpus_unless_attention_is_flash() -> None:
    plain = Opening(context_tokens=4096, slots_count=1, scored_tokens=512, device_layers=10)
    flash = msgspec.structs.replace(plain, scored_tokens=0)
    difference = footprint(ENTRY, plain) - footprint(ENTRY, flash)
    assert difference == Footprint(device_bytes=4 * 512 * 4096)


def test_a_context_on_gpus_grows_only_as_far_as_their_memory_goes() -> None:
    opening = msgspec.structs.replace(OPENING, device_layers=10)
    room = Footprint(host_bytes=1 << 40, device_bytes=COMPUTE_BYTES + 1_000_000 + 4000 * 300)
    assert context_tokens_fitting(ENTRY, opening, room=room) == 300
