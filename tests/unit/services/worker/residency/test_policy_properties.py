"""Laws of eviction."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.residency.policy import Held, victims
from shared.digest import Digest
from shared.errors import MemoryExceeded, WorkerBusy

MODELS = st.lists(
    st.builds(
        Held,
        weights=st.uuids().map(lambda name: Digest(str(name))),
        size_bytes=st.integers(1, 50),
        in_use=st.booleans(),
        pinned=st.booleans(),
        last_used_s=st.floats(0, 100),
    ),
    max_size=8,
)


@given(MODELS, st.integers(1, 120), st.integers(1, 100), st.integers(1, 5))
def test_what_is_evicted_is_idle_enough_and_not_too_much(
    held: list[Held], wanted_bytes: int, memory_bytes_max: int, models_max: int
) -> None:
    try:
        evicted = victims(held, wanted_bytes=wanted_bytes, memory_bytes_max=memory_bytes_max, models_max=models_max)
    except MemoryExceeded:
        assert wanted_bytes > memory_bytes_max
        return
    except WorkerBusy:
        busy = [model for model in held if model.in_use]
        busy_bytes = sum(model.size_bytes for model in busy)
        assert busy_bytes + wanted_bytes > memory_bytes_max or len(busy) >= models_max
        return
    by_weights = {model.weights: model for model in held}
    gone = [by_weights[weights] for weights in evicted]
    assert not any(model.in_use for model in gone)

    def fits(without: list[Held]) -> bool:
        stay = [model for model in held if model not in without]
        size_bytes = sum(model.size_bytes for model in stay) + wanted_bytes
        return size_bytes <= memory_bytes_max and len(stay) < models_max

    assert fits(gone)
    assert not gone or not fits(gone[:-1])
    kept_idle = [model for model in held if not model.in_use and model not in gone]
    order = [(model.pinned, model.last_used_s) for model in gone]
    assert order == sorted(order)
    assert not (order and kept_idle) or max(order) <= min((m.pinned, m.last_used_s) for m in kept_idle)
