"""Laws of where a model's bytes go."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fakes.model_entries import model_entry
from services.worker.residency.sizes import (
    COMPUTE_BYTES,
    Footprint,
    Opening,
    context_tokens_fitting,
    device_layers,
    footprint,
    layers_count,
    model_bytes,
)
from shared.model_index import ModelEntry

ENTRIES = st.builds(
    lambda weights_bytes, kv_bytes, blocks, embeds: structs.replace(
        model_entry("any", capabilities=("embedding",) if embeds else ("completion",)),
        weights_bytes=weights_bytes,
        kv_bytes_per_token=kv_bytes,
        blocks_count=blocks,
    ),
    st.integers(1, 1 << 36),
    st.integers(0, 1 << 20),
    st.integers(0, 128),
    st.booleans(),
)
OPENINGS = st.builds(
    Opening,
    context_tokens=st.integers(1, 1 << 17),
    slots_count=st.integers(1, 16),
    scored_tokens=st.sampled_from((0, 32, 512, 2048)),
)
DEVICE_BYTES = st.integers(0, 1 << 38)


@given(ENTRIES, OPENINGS, DEVICE_BYTES)
def test_as_many_layers_go_to_gpus_as_fit_and_one_more_would_not(
    entry: ModelEntry, opening: Opening, device_bytes: int
) -> None:
    count = device_layers(entry, opening, wanted=-1, device_bytes=device_bytes)

    def taken(layers: int) -> int:
        return footprint(entry, structs.replace(opening, device_layers=layers)).device_bytes

    assert 0 <= count <= layers_count(entry)
    assert taken(count) <= device_bytes
    assert count == layers_count(entry) or taken(count + 1) > device_bytes


@given(ENTRIES, OPENINGS)
def test_every_layer_more_on_gpus_takes_there_what_it_frees_elsewhere(entry: ModelEntry, opening: Opening) -> None:
    total_bytes = model_bytes(entry, context_tokens=opening.context_tokens, slots_count=opening.slots_count)
    before = footprint(entry, opening)
    for count in range(1, layers_count(entry) + 1):
        now = footprint(entry, structs.replace(opening, device_layers=count))
        assert now.host_bytes <= before.host_bytes
        assert now.device_bytes >= before.device_bytes
        assert total_bytes <= now.total_bytes
        before = now
    assert before.host_bytes == 0


@given(ENTRIES, OPENINGS, st.integers(0, 129), DEVICE_BYTES, DEVICE_BYTES)
def test_the_context_that_fits_does_so_on_both_sides_and_one_more_token_does_not(
    entry: ModelEntry, opening: Opening, layers: int, host_bytes: int, device_bytes: int
) -> None:
    room = Footprint(host_bytes=host_bytes, device_bytes=device_bytes)
    opening = structs.replace(opening, device_layers=min(layers, layers_count(entry)))
    tokens = context_tokens_fitting(entry, opening, room=room)

    def fits(context_tokens: int) -> bool:
        return footprint(entry, structs.replace(opening, context_tokens=context_tokens)).fits_in(room)

    assert tokens == 0 or fits(tokens)
    assert tokens == entry.context_length or not fits(tokens + 1)


@given(ENTRIES, OPENINGS)
def test_without_gpus_a_model_takes_at_least_its_weights_and_buffers(entry: ModelEntry, opening: Opening) -> None:
    where = footprint(entry, opening)
    assert where.device_bytes == 0
    assert where.host_bytes >= entry.weights_bytes + COMPUTE_BYTES
