"""What a model takes and what there is."""

import msgspec
import psutil
import pytest

from services.worker.residency.sizes import (
    COMPUTE_BYTES,
    PROJECTOR_BYTES,
    context_tokens_fitting,
    memory_bytes_available,
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
)


def test_a_model_takes_its_weights_and_every_slots_whole_context() -> None:
    assert model_bytes(ENTRY, context_tokens=100, slots_count=4) == 1_000_000 + 400_000 + COMPUTE_BYTES


def test_a_projector_takes_room_of_its_own() -> None:
    seeing = msgspec.structs.replace(ENTRY, projector=Digest("sha256:" + "e" * 64))
    blind_bytes = model_bytes(ENTRY, context_tokens=100, slots_count=4)
    assert model_bytes(seeing, context_tokens=100, slots_count=4) == blind_bytes + PROJECTOR_BYTES
    memory_bytes = COMPUTE_BYTES + PROJECTOR_BYTES + 5_000_000
    assert context_tokens_fitting(seeing, slots_count=4, memory_bytes=memory_bytes) == 1000


@pytest.mark.parametrize("memory_bytes", [COMPUTE_BYTES + 1_000_000, COMPUTE_BYTES + 5_004_999, COMPUTE_BYTES * 2])
def test_the_largest_fitting_context_fits_and_one_more_token_does_not(memory_bytes: int) -> None:
    tokens = context_tokens_fitting(ENTRY, slots_count=4, memory_bytes=memory_bytes)
    assert tokens == ENTRY.context_length or (
        model_bytes(ENTRY, context_tokens=tokens, slots_count=4)
        <= memory_bytes
        < model_bytes(ENTRY, context_tokens=tokens + 1, slots_count=4)
    )


EMBEDDER = msgspec.structs.replace(ENTRY, capabilities=("embedding",), embedding_length=384)


def test_a_model_that_embeds_takes_one_context_and_attention_between_all_its_tokens() -> None:
    own_bytes = 100 * 1000 + 100 * 100 * 4 * 6
    assert model_bytes(EMBEDDER, context_tokens=100, slots_count=4) == 1_000_000 + own_bytes + COMPUTE_BYTES


@pytest.mark.parametrize("room_bytes", [0, 1023, 1024, 5_000_000, 1 << 40])
def test_the_largest_fitting_context_of_a_model_that_embeds_fits_and_one_more_token_does_not(room_bytes: int) -> None:
    memory_bytes = COMPUTE_BYTES + EMBEDDER.weights_bytes + room_bytes
    tokens = context_tokens_fitting(EMBEDDER, slots_count=4, memory_bytes=memory_bytes)
    assert model_bytes(EMBEDDER, context_tokens=tokens, slots_count=4) <= memory_bytes
    too_much = model_bytes(EMBEDDER, context_tokens=tokens + 1, slots_count=4) > memory_bytes
    assert tokens == EMBEDDER.context_length or too_much


@pytest.mark.parametrize("entry", [ENTRY, EMBEDDER])
def test_no_context_fits_where_the_weights_do_not(entry: ModelEntry) -> None:
    assert context_tokens_fitting(entry, slots_count=4, memory_bytes=1_000_000) == 0


def test_a_model_without_attention_is_limited_by_its_training_only() -> None:
    recurrent = msgspec.structs.replace(ENTRY, kv_bytes_per_token=0)
    assert context_tokens_fitting(recurrent, slots_count=4, memory_bytes=1) == 8192


def test_the_machines_memory_is_no_more_than_the_kernel_says() -> None:
    assert 0 < memory_bytes_available() <= psutil.virtual_memory().total
