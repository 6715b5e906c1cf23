"""What Prometheus hears of the generations that wait: how many, whose, how long, and what workers do about them."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from services.gateway import metrics
from shared.cluster_state import WorkerState
from shared.digest import Digest

READY, LOADING, ABSENT = "ready", "loading", "absent"


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """One generation of this gateway that is still in its queue."""

    model: str
    weights: Digest
    user: str
    waited_s: float


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """All of them: `counts` by model and residency, the rest by model; `backlogs` has what each user waits for."""

    counts: Mapping[tuple[str, str], int]
    oldest_s: Mapping[str, float]
    backlogs: Mapping[str, Mapping[str, int]]


def residency(weights: Digest, workers: Iterable[WorkerState]) -> str:
    """The best that any worker says of the model; one that drains it will not take a job for it."""
    states = {model.state for worker in workers for model in worker.models if model.weights == weights}
    return READY if READY in states else LOADING if LOADING in states else ABSENT


def summed_up(waits: Iterable[Wait], workers: Mapping[str, WorkerState]) -> Waiting:
    counts: Counter[tuple[str, str]] = Counter()
    oldest_s: dict[str, float] = {}
    backlogs: dict[str, Counter[str]] = {}
    for wait in waits:
        counts[wait.model, residency(wait.weights, workers.values())] += 1
        oldest_s[wait.model] = max(wait.waited_s, oldest_s.get(wait.model, 0.0))
        backlogs.setdefault(wait.model, Counter())[wait.user] += 1
    return Waiting(counts=counts, oldest_s=oldest_s, backlogs=backlogs)


def show(waiting: Waiting) -> None:
    """Replace what was shown: a model nobody waits for has no series, and so no alert."""
    hide()
    for (model, state), count in waiting.counts.items():
        metrics.WAITING_GENERATIONS.labels(model=model, residency=state).set(count)
    for model, waited_s in waiting.oldest_s.items():
        metrics.OLDEST_WAIT_SECONDS.labels(model=model).set(waited_s)
    for model, backlog in waiting.backlogs.items():
        metrics.WAITING_USERS.labels(model=model).set(len(backlog))
        metrics.LONGEST_BACKLOG_GENERATIONS.labels(model=model).set(max(backlog.values()))


def hide() -> None:
    """What cannot be known is not shown."""
    metrics.WAITING_GENERATIONS.clear()
    metrics.OLDEST_WAIT_SECONDS.clear()
    metrics.WAITING_USERS.clear()
    metrics.LONGEST_BACKLOG_GENERATIONS.clear()
