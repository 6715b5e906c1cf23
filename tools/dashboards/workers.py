"""What each worker does, how fast, and whether it has become slower than itself."""

from typing import Final

from tools.dashboards.board import WORKERS, Board
from tools.dashboards.panels import TIMES, TOKENS_PER_S, bad_below, bad_from, events, lines, number
from tools.dashboards.queries import INSTANCE, Query, happened, in_the_last, or_zero, rate

PACE: Final = "instance_model:corral_worker_token_seconds"
SLOWNESS: Final = f"{PACE}:mean5m{{{INSTANCE}}} / {PACE}:median1d"
WRITTEN: Final = f"corral_worker_generated_tokens_total{{{INSTANCE}}}"
READ: Final = f"corral_worker_prompt_tokens_total{{{INSTANCE}}}"
CACHED: Final = f'corral_worker_prompt_tokens_total{{{INSTANCE}, source="cached"}}'
RUNNERS_DIED: Final = f"corral_worker_runner_exits_total{{{INSTANCE}}}"
SOURCES: Final = {"computed": "orange", "cached": "green"}
ENDS: Final = {"stop": "green", "length": "blue", "cancelled": "yellow", "runner_died": "red"}


def board() -> Board:
    return Board(
        name="workers",
        title="Corral: Workers",
        about="What does each worker do, how fast, and is it slower than it was?",
        rows=(("Now", _now()), ("Work", _work()), ("Speed", _speed()), ("Memory", _memory())),
        choices=(WORKERS,),
    )


def _now() -> tuple[object, ...]:
    taken = f"sum(corral_worker_slots_in_use{{{INSTANCE}}}) / (sum(corral_worker_slots{{{INSTANCE}}}) > 0)"
    cached = f"{rate(CACHED)} / ({rate(READ)} > 0)"
    return (
        number(
            "Workers that answer",
            or_zero(f'sum(up{{job="worker", {INSTANCE}}})'),
            steps=bad_below(1, good_from=1),
            alert="CorralServiceMissing",
        ),
        number("Slots taken", taken, unit="percentunit", empty="no model"),
        number("Tokens written", rate(WRITTEN), unit=TOKENS_PER_S),
        number("Prompts found in the cache", cached, unit="percentunit", empty="idle"),
        number("Runners that died, last hour", in_the_last("1h", RUNNERS_DIED), steps=bad_from(1)),
        number(
            "Slowest beside its usual",
            f"max({SLOWNESS})",
            unit=TIMES,
            steps=bad_from(3, doubtful_from=2),
            empty="idle",
            alert="CorralWorkerSlowed",
        ),
    )


def _work() -> tuple[object, ...]:
    generations = f"corral_worker_generations_total{{{INSTANCE}}}"
    return (
        lines("How full is each worker?", Query(f"corral_worker_slots_in_use{{{INSTANCE}}}", "{{instance}}")),
        lines(
            "How many tokens does each write?",
            Query(rate(WRITTEN, by="instance"), "{{instance}}"),
            unit=TOKENS_PER_S,
            stacked=True,
        ),
        lines(
            "How do generations end?", Query(rate(generations, by="outcome"), "{{outcome}}"), unit="cps", stacked=True,
            colours=ENDS,
        ),
        lines(
            "How much of the prompts is computed anew?",
            Query(rate(READ, by="source"), "{{source}}"),
            unit=TOKENS_PER_S,
            stacked=True,
            colours=SOURCES,
        ),
        lines(
            "How much of them does each find in its cache?",
            Query(f"instance:corral_worker_prompt_tokens_cached:ratio_rate5m{{{INSTANCE}}}", "{{instance}}"),
            unit="percentunit",
            most=1,
        ),
        events("When did runners die?", happened(RUNNERS_DIED, by="instance"), alert="CorralErrors"),
    )  # fmt: skip


def _speed() -> tuple[object, ...]:
    return (
        lines(
            "How long does a token take?",
            Query(f"{PACE}:mean5m{{{INSTANCE}}}", "{{instance}} {{model}}"),
            unit="s",
            width=12,
        ),
        lines(
            "How many times its usual does a token take?",
            Query(SLOWNESS, "{{instance}} {{model}}"),
            unit=TIMES,
            alarm=3,
            width=12,
            alert="CorralWorkerSlowed",
        ),
    )


def _memory() -> tuple[object, ...]:
    return (
        lines(
            "How full is the memory for models?",
            Query(f"instance:corral_worker_resident_bytes:ratio{{{INSTANCE}}}", "{{instance}}"),
            unit="percentunit",
            most=1,
        ),
        lines(
            "Which models does each hold?",
            Query(f"corral_worker_model_bytes{{{INSTANCE}}}", "{{instance}} {{model}}"),
            unit="bytes",
        ),
        lines(
            "How much memory of GPUs do models take?",
            Query(f"sum(corral_worker_device_resident_bytes{{{INSTANCE}}})", "taken"),
            Query(f"sum(corral_worker_device_memory_max_bytes{{{INSTANCE}}})", "room"),
            unit="bytes",
            alert="CorralGpuUnused",
        ),
    )
