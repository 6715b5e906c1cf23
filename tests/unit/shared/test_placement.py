"""Which worker loads what."""

from shared.cluster_state import ResidentModel, WorkerState
from shared.digest import Digest
from shared.placement import Load, plan

A, B = Digest("sha256:" + "a" * 64), Digest("sha256:" + "b" * 64)


def worker(
    *models: Digest,
    state: str = "ready",
    draining: bool = False,
    memory_bytes_max: int = 100,
    device_memory_bytes_max: int = 0,
) -> WorkerState:
    return WorkerState(
        models=tuple(
            ResidentModel(
                weights=weights, model="m", state=state, size_bytes=10, context_tokens=1, slots_count=1,
                slots_in_use=0, expires_unix_ms=None,
            )
            for weights in models
        ),
        memory_bytes_max=memory_bytes_max,
        models_max=3,
        draining=draining,
        device_memory_bytes_max=device_memory_bytes_max,
    )  # fmt: skip


def test_a_demanded_model_nobody_holds_is_loaded_once() -> None:
    assert plan({A: "a"}, {"one": worker(), "two": worker()}) == [Load(worker_id="one", weights=A, model="a")]


def test_a_model_that_somebody_holds_or_loads_is_left_alone() -> None:
    assert plan({A: "a"}, {"one": worker(), "two": worker(A)}) == []
    assert plan({A: "a"}, {"one": worker(), "two": worker(A, state="loading")}) == []


def test_the_worker_with_the_fewest_models_takes_it() -> None:
    (load,) = plan({A: "a"}, {"one": worker(B), "two": worker()})
    assert load.worker_id == "two"


def test_among_equals_the_one_with_more_free_memory_takes_it() -> None:
    (load,) = plan({A: "a"}, {"one": worker(), "two": worker(memory_bytes_max=200)})
    assert load.worker_id == "two"


def test_memory_of_gpus_counts_before_the_machines() -> None:
    (load,) = plan({A: "a"}, {"one": worker(memory_bytes_max=200), "two": worker(device_memory_bytes_max=1)})
    assert load.worker_id == "two"


def test_several_models_are_spread() -> None:
    loads = plan({A: "a", B: "b"}, {"one": worker(), "two": worker()})
    assert sorted(load.worker_id for load in loads) == ["one", "two"]


def test_a_draining_worker_gets_nothing() -> None:
    assert plan({A: "a"}, {"one": worker(draining=True)}) == []
