"""How near a model is to answering, as the workers' heartbeats tell it."""

from services.gateway.cluster_view import ModelProgress, progress_of
from shared.cluster_state import ResidentModel, WorkerState
from shared.digest import Digest

WEIGHTS = Digest("sha256:" + "a" * 64)
NOW_UNIX_MS = 100_000


def worker(state: str, *, since_unix_ms: int | None = None, expected_s: float | None = None) -> WorkerState:
    model = ResidentModel(
        weights=WEIGHTS, model="m", state=state, size_bytes=1, context_tokens=1, slots_count=1, slots_in_use=0,
        expires_unix_ms=None, loading_since_unix_ms=since_unix_ms, load_expected_s=expected_s,
    )  # fmt: skip
    return WorkerState(models=(model,), memory_bytes_max=1, models_max=1, draining=False)


def progress(*workers: WorkerState) -> ModelProgress:
    return progress_of(WEIGHTS, workers, now_unix_ms=NOW_UNIX_MS)


def test_a_model_nobody_holds_is_absent() -> None:
    assert progress() == ModelProgress(state="absent")
    assert progress(worker("draining")) == ModelProgress(state="absent")
    other = Digest("sha256:" + "b" * 64)
    assert progress_of(other, [worker("ready")], now_unix_ms=1) == ModelProgress(state="absent")


def test_the_load_that_began_first_is_the_one_waited_for() -> None:
    late, early = worker("loading", since_unix_ms=99_000), worker("loading", since_unix_ms=96_000, expected_s=8.0)
    assert progress(late, early) == ModelProgress(state="loading", elapsed_s=4.0, expected_s=8.0)


def test_one_ready_copy_is_enough() -> None:
    assert progress(worker("loading", since_unix_ms=1), worker("ready")) == ModelProgress(state="ready")


def test_a_load_that_seems_to_begin_later_than_now_has_just_begun() -> None:
    assert progress(worker("loading", since_unix_ms=NOW_UNIX_MS + 50)).elapsed_s == 0
