"""Laws of the watchdog's rule."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.watchdog import Resubmit, Sight, WatchLimits, decide
from shared.cluster_state import WorkerState

LIMITS = WatchLimits(started_wait_s=2.0, no_worker_wait_s=30.0)
WORKER = WorkerState(models=(), memory_bytes_max=0, models_max=1, draining=False)

sights = st.builds(
    Sight,
    attempt=st.integers(1, 5),
    worker_id=st.sampled_from([None, "w", "gone"]),
    runner_died=st.just(False),
    has_output=st.booleans(),
    is_waiting=st.booleans(),
    not_waiting_s=st.floats(0, 10),
    since_submit_s=st.floats(0, 100),
    is_past_deadline=st.booleans(),
    live_workers=st.sampled_from([{}, {"w": WORKER}]),
)


@given(sights.filter(lambda sight: sight.has_output <= (sight.worker_id is not None)))
def test_nothing_is_said_twice_and_nothing_is_tried_for_ever(sight: Sight) -> None:
    if isinstance(decide(sight, LIMITS), Resubmit):
        assert not sight.has_output
        assert sight.attempt < LIMITS.attempts_max
        assert not sight.is_past_deadline
