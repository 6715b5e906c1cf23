"""Laws of eviction."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.residency.policy import Held, victims
from services.worker.residency.sizes import Footprint
from shared.digest import Digest
from shared.errors import MemoryExceeded, WorkerBusy


def footprints(bytes_max: int) -> st.SearchStrategy[Footprint]:
    return st.builds(Footprint, host_bytes=st.integers(0, bytes_max), device_bytes=st.integers(0, bytes_max))


def models(takes: st.SearchStrategy[Footprint]) -> st.SearchStrategy[list[Held]]:
    return st.lists(
        st.builds(
            Held,
            weights=st.uuids().map(lambda name: Digest(str(name))),
            takes=takes,
            in_use=st.booleans(),
            pinned=st.booleans(),
            last_used_s=st.floats(0, 100),
        ),
        max_size=8,
    )


def fits(stay: list[Held], wanted: Footprint, room: Footprint, models_max: int) -> bool:
    taken = sum((model.takes for model in stay), start=wanted)
    return taken.fits_in(room) and len(stay) < models_max


@given(models(footprints(50)), footprints(120), footprints(100), st.integers(1, 5))
def test_what_is_evicted_is_idle_and_makes_room_and_nothing_is_evicted_in_vain(
    held: list[Held], wanted: Footprint, room: Footprint, models_max: int
) -> None:
    try:
        evicted = victims(held, wanted=wanted, room=room, models_max=models_max)
    except MemoryExceeded:
        assert not wanted.fits_in(room)
        return
    except WorkerBusy:
        assert not fits([model for model in held if model.in_use], wanted, room, models_max)
        return
    by_weights = {model.weights: model for model in held}
    gone = [by_weights[weights] for weights in evicted]
    assert not any(model.in_use for model in gone)
    assert fits([model for model in held if model not in gone], wanted, room, models_max)
    assert not gone or not fits([model for model in held if model not in gone[:-1]], wanted, room, models_max)
    order = [(model.pinned, model.last_used_s) for model in gone]
    assert order == sorted(order)


@given(
    models(st.builds(Footprint, host_bytes=st.integers(1, 50))),
    st.builds(Footprint, host_bytes=st.integers(1, 100)),
    st.integers(1, 5),
)
def test_without_gpus_whoever_was_used_longer_ago_than_one_that_left_has_left_too(
    held: list[Held], wanted: Footprint, models_max: int
) -> None:
    try:
        evicted = victims(held, wanted=wanted, room=Footprint(host_bytes=100), models_max=models_max)
    except WorkerBusy:
        return
    idle = [model for model in held if not model.in_use]
    gone = [(model.pinned, model.last_used_s) for model in idle if model.weights in evicted]
    kept = [(model.pinned, model.last_used_s) for model in idle if model.weights not in evicted]
    assert not (gone and kept) or max(gone) <= min(kept)
