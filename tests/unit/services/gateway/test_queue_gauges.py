"""What is told of the generations that wait."""

import pytest

from fakes.model_entries import WEIGHTS
from services.gateway.queue_gauges import Wait, residency, summed_up
from shared.cluster_state import ResidentModel, WorkerState
from shared.digest import Digest

OTHER = Digest("sha256:" + "b" * 64)


def worker(*states: str, weights: Digest = WEIGHTS) -> WorkerState:
    models = tuple(
        ResidentModel(
            weights=weights,
            model="a name of its own",
            state=state,
            size_bytes=1,
            context_tokens=1,
            slots_count=1,
            slots_in_use=0,
            expires_unix_ms=None,
        )
        for state in states
    )
    return WorkerState(models=models, memory_bytes_max=10, models_max=3, draining=False)


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        ([], "absent"),
        ([worker()], "absent"),
        ([worker("ready", weights=OTHER)], "absent"),
        ([worker("draining")], "absent"),
        ([worker("draining"), worker("loading")], "loading"),
        ([worker("loading"), worker("ready")], "ready"),
    ],
)
def test_a_model_is_as_near_as_the_nearest_worker_has_it(workers: list[WorkerState], expected: str) -> None:
    assert residency(WEIGHTS, workers) == expected


def test_two_names_of_the_same_weights_are_counted_apart_and_both_are_served() -> None:
    waits = [
        Wait(model="big:latest", weights=WEIGHTS, user="ada", waited_s=3.0),
        Wait(model="big:latest", weights=WEIGHTS, user="ben", waited_s=7.0),
        Wait(model="big:7b", weights=WEIGHTS, user="ada", waited_s=5.0),
        Wait(model="other", weights=OTHER, user="ada", waited_s=1.0),
    ]
    waiting = summed_up(waits, {"w": worker("ready")})
    assert waiting.counts == {("big:latest", "ready"): 2, ("big:7b", "ready"): 1, ("other", "absent"): 1}
    assert waiting.oldest_s == {"big:latest": 7.0, "big:7b": 5.0, "other": 1.0}
    assert waiting.backlogs == {"big:latest": {"ada": 1, "ben": 1}, "big:7b": {"ada": 1}, "other": {"ada": 1}}
