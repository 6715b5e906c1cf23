"""Laws of what is told of waiting generations."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.queue_gauges import Wait, summed_up
from shared.cluster_state import ResidentModel, WorkerState
from shared.digest import Digest

weights = st.sampled_from([Digest("sha256:" + letter * 64) for letter in "abc"])
waits = st.builds(
    Wait,
    model=st.sampled_from(["x", "y"]),
    weights=weights,
    user=st.sampled_from(["ada", "ben", "cy"]),
    waited_s=st.floats(0, 1e6),
)
models = st.builds(
    ResidentModel,
    weights=weights,
    model=st.just("z"),
    state=st.sampled_from(["loading", "ready", "draining"]),
    size_bytes=st.just(1),
    context_tokens=st.just(1),
    slots_count=st.just(1),
    slots_in_use=st.just(0),
    expires_unix_ms=st.none(),
)
workers = st.dictionaries(
    st.sampled_from(["v", "w"]),
    st.builds(
        WorkerState,
        models=st.lists(models, max_size=3).map(tuple),
        memory_bytes_max=st.just(1),
        models_max=st.just(3),
        draining=st.booleans(),
    ),
)


@given(st.lists(waits), workers)
def test_every_waiting_generation_is_counted_once(waiting: list[Wait], live: dict[str, WorkerState]) -> None:
    told = summed_up(waiting, live)
    by_model: Counter[str] = Counter()
    for (model, _), count in told.counts.items():
        by_model[model] += count
    assert by_model == Counter(wait.model for wait in waiting)
    assert {model: sum(backlog.values()) for model, backlog in told.backlogs.items()} == by_model
    assert set(told.oldest_s) == set(by_model)
    assert all(wait.waited_s <= told.oldest_s[wait.model] for wait in waiting)


@given(st.lists(waits), workers)
def test_without_workers_every_model_is_absent(waiting: list[Wait], live: dict[str, WorkerState]) -> None:
    assert {residency for _, residency in summed_up(waiting, {}).counts} <= {"absent"}
