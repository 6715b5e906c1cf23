"""Who waits, how long, and whether it is fair."""

from typing import Final

from tools.dashboards.board import MODELS, Board
from tools.dashboards.panels import PLAIN, bad_from, events, heat, lines, number
from tools.dashboards.queries import MODEL, RATE, Query, happened, in_the_last, or_none, or_zero

WAITING: Final = f"model_residency:corral_gateway_waiting_generations:sum{{{MODEL}}}"
USERS: Final = f"sum(max by (model) (corral_gateway_waiting_users{{{MODEL}}}))"
BACKLOG: Final = f"max(corral_gateway_longest_backlog_generations{{{MODEL}}})"
OLDEST: Final = f"model:corral_gateway_oldest_wait_seconds:max{{{MODEL}}}"
RESIDENCY: Final = {"ready": "green", "loading": "yellow", "absent": "red"}


def board() -> Board:
    return Board(
        name="queue",
        title="Corral: Queue and fairness",
        about="Who waits, how long, and does one person's backlog hold up the others?",
        rows=(("Now", _now()), ("Who waits", _who()), ("How long", _how_long()), ("What did not go well", _trouble())),
        choices=(MODELS,),
    )


def _now() -> tuple[object, ...]:
    oldest = or_zero(f"max({OLDEST})")
    return (
        number("Generations that wait", or_zero(f"sum({WAITING})")),
        number("People who wait", or_zero(USERS)),
        number("One person's longest backlog", or_zero(BACKLOG)),
        number("Longest wait", oldest, unit="s", steps=bad_from(30, doubtful_from=10), alert="CorralQueueWaits"),
        number("Free slots", "sum(corral_worker_slots) - sum(corral_worker_slots_in_use)", empty="no worker"),
        number("Refused, last hour", in_the_last("1h", "corral_gateway_rejections_total"), steps=PLAIN),
    )


def _who() -> tuple[object, ...]:
    return (
        lines(
            "What do they wait for: a slot, or a model?",
            Query(or_none(f"sum by (residency) ({WAITING})", "residency"), "{{residency}}"),
            stacked=True,
            colours=RESIDENCY,
        ),
        lines(
            "Is it one person's backlog?",
            Query(or_zero(f"sum({WAITING})"), "all that wait"),
            Query(or_zero(BACKLOG), "of one person"),
            Query(or_zero(USERS), "people"),
            alert="CorralQueueWaits",
        ),
        lines(
            "Are slots free while people wait?",
            Query("sum(corral_worker_slots)", "slots there are"),
            Query("sum(corral_worker_slots_in_use)", "taken"),
            Query(or_zero(f"sum({WAITING})"), "waiting"),
            colours={"taken": "green", "waiting": "orange", "slots there are": "semi-dark-blue"},
        ),
    )


def _how_long() -> tuple[object, ...]:
    buckets = f"sum by (le) (increase(corral_gateway_queue_wait_seconds_bucket{{{MODEL}}}[{RATE}]))"
    return (
        heat("How long did generations wait to start?", buckets, unit="s"),
        lines(
            "How long do 19 of 20 wait at most?",
            Query(f"model:corral_gateway_queue_wait_seconds:p95_5m{{{MODEL}}} >= 0", "{{model}}"),
            unit="s",
        ),
        lines(
            "How long has the oldest waited?",
            Query(or_none(OLDEST, "model"), "{{model}}"),
            unit="s",
            alarm=30,
            alert="CorralQueueWaits",
        ),
    )


def _trouble() -> tuple[object, ...]:
    return (
        events("Why were generations refused?", happened("corral_gateway_rejections_total", by="reason"), width=12),
        events(
            "What was given to another worker?", happened("corral_gateway_resubmissions_total", by="reason"), width=12
        ),
    )
