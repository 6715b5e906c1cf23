"""The first look: whether everything is well, what people get, and what all of it stands on."""

from typing import Final

from tools.dashboards.board import Board
from tools.dashboards.panels import DAYS, TOKENS_PER_S, bad_below, bad_from, lines, number, yes_or_no
from tools.dashboards.queries import Query, or_none, or_zero

OUTCOMES: Final = {"ok": "green", "refused": "yellow", "cancelled": "blue", "error": "red"}
REQUESTS: Final = "route_outcome:corral_gateway_requests:rate5m"
FIRST_TEXT: Final = "model:corral_gateway_time_to_first_token_seconds:p95_5m"


def board() -> Board:
    return Board(
        name="overview",
        title="Corral: Overview",
        about="Is everything well, what do people get, and does what it stands on stand?",
        rows=(("Now", _now()), ("What people get", _service()), ("What it stands on", _surroundings())),
    )


def _now() -> tuple[object, ...]:
    slots = "sum(corral_worker_slots_in_use) / (sum(corral_worker_slots) > 0)"
    waits = or_zero("max(model:corral_gateway_oldest_wait_seconds:max)")
    errors = or_zero("job:corral_gateway_request_errors:ratio_rate5m >= 0")
    return (
        number("Alerts that call", or_zero('count(ALERTS{alertstate="firing"})'), steps=bad_from(1)),
        number("Processes that do not answer", "sum(up == bool 0)", steps=bad_from(1), alert="CorralTargetDown"),
        number("Requests that fail", errors, unit="percentunit", steps=bad_from(0.05), alert="CorralErrors"),
        number("Longest wait", waits, unit="s", steps=bad_from(30, doubtful_from=10), alert="CorralQueueWaits"),
        number(
            "First token, 19 of 20 within",
            f"max({FIRST_TEXT} >= 0)",
            unit="s",
            steps=bad_from(15, doubtful_from=5),
            empty="idle",
            alert="CorralFirstTokenSlow",
        ),
        number("Slots taken", slots, unit="percentunit", empty="no model"),
    )


def _service() -> tuple[object, ...]:
    failing = or_none(f'sum by (route) ({REQUESTS}{{outcome="error"}}) > 0', "route")
    firing = or_none('sum by (alertname) (ALERTS{alertstate="firing"})', "alertname")
    waiting = or_zero("sum(model_residency:corral_gateway_waiting_generations:sum)")
    return (
        lines(
            "What becomes of requests?",
            Query(f"sum by (outcome) ({REQUESTS})", "{{outcome}}"),
            unit="reqps",
            stacked=True,
            colours=OUTCOMES,
        ),
        lines(
            "How long until the first token (19 of 20)?",
            Query(f"{FIRST_TEXT} >= 0", "{{model}}"),
            unit="s",
            alarm=15,
            alert="CorralFirstTokenSlow",
        ),
        lines(
            "How many tokens are read and written?",
            Query("sum(model:corral_gateway_generated_tokens:rate5m)", "written"),
            Query("sum(model:corral_gateway_prompt_tokens:rate5m)", "read"),
            unit=TOKENS_PER_S,
        ),
        lines(
            "How many are served, how many wait?",
            Query("sum(corral_worker_slots_in_use)", "served"),
            Query(waiting, "waiting"),
            Query("sum(corral_worker_slots)", "slots there are"),
            colours={"served": "green", "waiting": "orange", "slots there are": "semi-dark-blue"},
        ),
        lines("Where do requests fail?", Query(failing, "{{route}}"), unit="reqps", alert="CorralErrors"),
        lines("Which alerts call?", Query(firing, "{{alertname}}")),
    )


def _surroundings() -> tuple[object, ...]:
    certificate = "(min(probe_ssl_earliest_cert_expiry) - time()) / 86400"
    nginx = [Query(f"sum(nginx_connections_{state})", state) for state in ("active", "writing", "waiting", "reading")]
    return (
        yes_or_no("Does Redis answer?", "min(redis_up)", alert="CorralRedisDown"),
        yes_or_no("Do gateways reach it?", "min(corral_gateway_redis_connected)", alert="CorralRedisDown"),
        yes_or_no("Does nginx answer?", "min(nginx_up)", alert="CorralFrontDoorDown"),
        yes_or_no("Does the address answer?", "min(probe_success)", alert="CorralFrontDoorDown"),
        number(
            "Certificate ends in",
            certificate,
            unit=DAYS,
            steps=bad_below(14, good_from=21),
            empty="unknown",
            alert="CorralCertificateExpires",
        ),
        number("Requests through nginx", "sum(rate(nginx_http_requests_total[$__rate_interval]))", unit="reqps"),
        lines(
            "How much memory does Redis take?",
            Query("sum(redis_memory_used_bytes)", "data"),
            Query("sum(redis_memory_used_rss_bytes)", "process"),
            unit="bytes",
        ),
        lines("How many connections does nginx hold?", *nginx),
        lines(
            "How long does the address take to answer?",
            Query("sum by (phase) (probe_http_duration_seconds)", "{{phase}}"),
            unit="s",
            stacked=True,
        ),
    )
