"""What is done about a generation nobody works on."""

import msgspec
import pytest

from services.gateway.watchdog import Fail, Keep, Resubmit, Sight, WatchLimits, decide
from shared.cluster_state import WorkerState

LIMITS = WatchLimits(started_wait_s=2.0, no_worker_wait_s=30.0)
WORKER = WorkerState(models=(), memory_bytes_max=0, models_max=1, draining=False)
QUEUED = Sight(
    attempt=1,
    worker_id=None,
    runner_died=False,
    has_output=False,
    is_waiting=True,
    not_waiting_s=0.0,
    since_submit_s=0.0,
    is_past_deadline=False,
    live_workers={"w": WORKER},
)


def sight(**changes: object) -> Sight:
    return msgspec.structs.replace(QUEUED, **changes)


@pytest.mark.parametrize(
    "kept",
    [
        sight(since_submit_s=3000.0),
        sight(is_waiting=False, not_waiting_s=2.0),
        sight(is_waiting=False, worker_id="w", not_waiting_s=500.0),
        sight(is_waiting=False, worker_id="w", has_output=True),
        sight(live_workers={}, since_submit_s=30.0),
    ],
)
def test_what_waits_or_runs_is_left_alone(kept: Sight) -> None:
    assert decide(kept, LIMITS) is Keep.KEEP


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        (sight(is_waiting=False, not_waiting_s=2.1), "never_started"),
        (sight(is_waiting=False, worker_id="gone"), "worker_lost"),
        (sight(is_waiting=False, worker_id="w", runner_died=True), "runner_died"),
        (sight(is_waiting=False, worker_id="gone", attempt=2), "worker_lost"),
    ],
)
def test_what_was_lost_before_any_output_is_tried_again(lost: Sight, reason: str) -> None:
    assert decide(lost, LIMITS) == Resubmit(reason)


@pytest.mark.parametrize(
    ("lost", "code"),
    [
        (sight(is_waiting=False, worker_id="gone", has_output=True), "runner_died"),
        (sight(is_waiting=False, worker_id="gone", attempt=3), "runner_died"),
        (sight(is_waiting=False, not_waiting_s=2.1, attempt=3), "runner_died"),
        (sight(is_waiting=False, worker_id="w", has_output=True, is_past_deadline=True), "deadline_exceeded"),
        (sight(is_past_deadline=True), "deadline_exceeded"),
        (sight(live_workers={}, since_submit_s=30.1), "unavailable"),
    ],
)
def test_what_cannot_be_repeated_fails(lost: Sight, code: str) -> None:
    verdict = decide(lost, LIMITS)
    assert isinstance(verdict, Fail)
    assert verdict.error.code == code
