"""Which models a round of smokes tries, and when it leaves one alone."""

import msgspec
import pytest

from fakes.model_entries import WEIGHTS, model_entry
from services.gateway.smoke.plan import Obstacle, obstacle_to, targets
from shared.cluster_state import ResidentModel, WorkerState
from shared.digest import Digest
from shared.model_index import ModelEntry

OTHER = Digest("sha256:" + "b" * 64)
THIRD = Digest("sha256:" + "c" * 64)
A, B, C = model_entry("a"), model_entry("b", weights=OTHER), model_entry("c", weights=THIRD)


def copy(entry: ModelEntry, *, state: str = "ready", slots_in_use: int = 0) -> ResidentModel:
    return ResidentModel(
        weights=entry.weights,
        model=entry.name.full,
        state=state,
        size_bytes=1,
        context_tokens=1,
        slots_count=2,
        slots_in_use=slots_in_use,
        expires_unix_ms=None,
    )


def worker(*models: ResidentModel, draining: bool = False) -> WorkerState:
    return WorkerState(models=models, memory_bytes_max=10, models_max=3, draining=draining)


def names(groups: list[list[ModelEntry]]) -> list[list[str]]:
    return [[entry.name.model for entry in group] for group in groups]


def test_models_of_one_worker_follow_each_other_and_those_of_another_are_tried_meanwhile() -> None:
    workers = {"one": worker(copy(A), copy(B)), "two": worker(copy(C))}
    assert names(targets(workers, [A, B, C])) == [["a", "b"], ["c"]]


def test_a_model_that_several_workers_have_is_tried_once() -> None:
    workers = {"one": worker(copy(A)), "two": worker(copy(A), copy(B))}
    assert names(targets(workers, [A, B])) == [["a"], ["b"]]


@pytest.mark.parametrize("state", ["loading", "draining"])
def test_a_model_that_comes_or_goes_is_not_tried(state: str) -> None:
    assert targets({"one": worker(copy(A, state=state))}, [A]) == []


def test_a_worker_that_leaves_is_not_tried() -> None:
    assert targets({"one": worker(copy(A), draining=True)}, [A]) == []


def test_a_model_that_was_deleted_is_not_tried() -> None:
    assert names(targets({"one": worker(copy(A), copy(B))}, [B])) == [["b"]]


def test_of_names_that_share_weights_the_one_is_tried_that_they_were_loaded_for() -> None:
    bot = model_entry("bot", weights=A.weights)
    assert names(targets({"one": worker(copy(bot))}, [A, bot])) == [["bot"]]
    assert names(targets({"one": worker(copy(bot))}, [A])) == [["a"]]


def test_a_name_that_stands_for_other_weights_now_is_not_tried_with_the_old_ones() -> None:
    renewed = msgspec.structs.replace(A, weights=OTHER)
    assert targets({"one": worker(copy(A))}, [renewed]) == []


def test_a_model_with_a_free_slot_and_an_empty_queue_may_be_tried() -> None:
    full, free = worker(copy(A, slots_in_use=2)), worker(copy(A, slots_in_use=1))
    assert obstacle_to(WEIGHTS, [full, free], waiting_count=0) is None


@pytest.mark.parametrize(
    ("workers", "waiting_count"),
    [
        ([worker(copy(A, slots_in_use=2))], 0),
        ([worker(copy(A))], 1),
        ([worker(copy(A, slots_in_use=2)), worker(copy(A), draining=True)], 0),
    ],
)
def test_people_come_first(workers: list[WorkerState], waiting_count: int) -> None:
    assert obstacle_to(WEIGHTS, workers, waiting_count=waiting_count) is Obstacle.BUSY


@pytest.mark.parametrize("workers", [[], [worker()], [worker(copy(B))], [worker(copy(A, state="loading"))]])
def test_a_model_that_is_not_in_memory_stays_where_it_is(workers: list[WorkerState]) -> None:
    assert obstacle_to(WEIGHTS, workers, waiting_count=0) is Obstacle.ABSENT
