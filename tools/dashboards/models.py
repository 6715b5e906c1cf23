"""What models are asked for, how well they answer, and which of them are in memory."""

from typing import Final

from tools.dashboards.board import MODELS, Board
from tools.dashboards.panels import PLAIN, TOKENS_PER_S, bad_from, events, lines, number
from tools.dashboards.queries import MODEL, Query, happened, in_the_last, mean, or_none, or_zero

WAITING: Final = "model_residency:corral_gateway_waiting_generations:sum"
LOADS: Final = "corral_worker_model_load_seconds"
EVICTED: Final = 'corral_worker_evictions_total{reason="evicted"}'
SMOKES: Final = {"ok": "green", "skipped": "blue", "failed": "red", "timeout": "dark-red"}
REASONS: Final = {"evicted": "orange", "expired": "blue", "requested": "green", "died": "red"}


def board() -> Board:
    return Board(
        name="models",
        title="Corral: Models and residency",
        about="What are models asked for, how well do they answer, and which are in memory?",
        rows=(("Now", _now()), ("How they answer", _answers()), ("In memory", _memory())),
        choices=(MODELS,),
    )


def _now() -> tuple[object, ...]:
    taken = "sum(corral_worker_resident_bytes) / sum(corral_worker_memory_max_bytes)"
    unserved = or_zero(f'sum({WAITING}{{residency="absent"}})')
    return (
        number("Models in memory", "sum(corral_worker_resident_models)"),
        number("Memory taken", taken, unit="percentunit", empty="no worker"),
        number("Made room for others, last hour", in_the_last("1h", EVICTED), steps=PLAIN),
        number("Loads that failed, last hour", in_the_last("1h", f'{LOADS}_count{{outcome!="ok"}}'), steps=bad_from(1)),
        number(
            "Runners that died, last hour", in_the_last("1h", "corral_worker_runner_exits_total"), steps=bad_from(1)
        ),
        number("Wait for a model no worker has", unserved, steps=bad_from(1), alert="CorralModelUnserved"),
    )


def _answers() -> tuple[object, ...]:
    first_text = "model:corral_gateway_time_to_first_token_seconds"
    pace = f"avg by (model) (instance_model:corral_worker_token_seconds:mean5m{{{MODEL}}})"
    return (
        lines(
            "How much does each write?",
            Query(f"model:corral_gateway_generated_tokens:rate5m{{{MODEL}}}", "{{model}}"),
            unit=TOKENS_PER_S,
            stacked=True,
        ),
        lines(
            "How much does each read?",
            Query(f"model:corral_gateway_prompt_tokens:rate5m{{{MODEL}}}", "{{model}}"),
            unit=TOKENS_PER_S,
            stacked=True,
        ),
        lines("How fast does a reader see text come?", Query(f"1 / {pace}", "{{model}}"), unit=TOKENS_PER_S),
        lines(
            "How long until the first token (half)?",
            Query(f"{first_text}:p50_5m{{{MODEL}}} >= 0", "{{model}}"),
            unit="s",
        ),
        lines(
            "How long until the first token (19 of 20)?",
            Query(f"{first_text}:p95_5m{{{MODEL}}} >= 0", "{{model}}"),
            unit="s",
            alarm=15,
            alert="CorralFirstTokenSlow",
        ),
        lines(
            "Who waits for a model that is not ready?",
            Query(
                or_none(f'sum by (model, residency) ({WAITING}{{{MODEL}, residency!="ready"}})', "model"),
                "{{model}} {{residency}}",
            ),
            alert="CorralModelUnserved",
        ),
        events(
            "How do smoke generations end?",
            happened(f"corral_gateway_smokes_total{{{MODEL}}}", by="outcome"),
            colours=SMOKES,
            width=12,
            alert="CorralSmokeFails",
        ),
        lines(
            "How long do they take?",
            Query(mean("corral_gateway_smoke_seconds", MODEL, by="model"), "{{model}}"),
            unit="s",
            width=12,
        ),
    )


def _memory() -> tuple[object, ...]:
    loads = f'sum by (le) (increase({LOADS}_bucket{{outcome="ok"}}[1h]))'
    failures = f'{LOADS}_count{{outcome!="ok"}}'
    return (
        lines(
            "Which models take the memory?",
            Query(f"sum by (model) (corral_worker_model_bytes{{{MODEL}}})", "{{model}}"),
            unit="bytes",
            stacked=True,
        ),
        lines(
            "On how many workers is each?",
            Query(f"count by (model) (corral_worker_model_bytes{{{MODEL}}})", "{{model}}"),
        ),
        events("Why do models leave?", happened("corral_worker_evictions_total", by="reason"), colours=REASONS),
        lines(
            "How long do loads take (last hour)?",
            Query(f"histogram_quantile(0.5, {loads}) >= 0", "half"),
            Query(f"histogram_quantile(0.95, {loads}) >= 0", "19 of 20"),
            unit="s",
            width=12,
        ),
        events("Which loads fail?", happened(failures, by="outcome"), colours={"model_load_failed": "red"}, width=12),
    )
