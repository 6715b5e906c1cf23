"""Every metric of the gateway. Model labels are full names of models that exist."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from shared.metrics import REQUEST_BUCKETS_S

REQUEST_SECONDS: Final = Histogram(
    "corral_gateway_request_seconds",
    "Time from a request's arrival to the last byte of its reply.",
    ["route", "outcome"],
    buckets=REQUEST_BUCKETS_S,
)
TIME_TO_FIRST_TOKEN_SECONDS: Final = Histogram(
    "corral_gateway_time_to_first_token_seconds",
    "Time from a request's arrival to the first text of its generation.",
    ["model"],
    buckets=REQUEST_BUCKETS_S,
)
REJECTIONS: Final = Counter(
    "corral_gateway_rejections_total", "Generations refused before they were queued.", ["reason"]
)
RESUBMISSIONS: Final = Counter(
    "corral_gateway_resubmissions_total", "Generations queued again because their worker was lost.", ["reason"]
)
OPEN_GENERATIONS: Final = Gauge("corral_gateway_open_generations", "Generations that clients wait for now.")
QUEUE_WAIT_SECONDS: Final = Histogram(
    "corral_gateway_queue_wait_seconds",
    "Time from a generation's submission to its start on a worker, loading of its model included.",
    ["model"],
    buckets=REQUEST_BUCKETS_S,
)
WAITING_GENERATIONS: Final = Gauge(
    "corral_gateway_waiting_generations",
    "This gateway's generations in the queues, by what workers do about their model: ready, loading or absent.",
    ["model", "residency"],
)
OLDEST_WAIT_SECONDS: Final = Gauge(
    "corral_gateway_oldest_wait_seconds", "How long the oldest of this gateway's waiting generations waits.", ["model"]
)
WAITING_USERS: Final = Gauge(
    "corral_gateway_waiting_users", "Users with a generation of this gateway in the model's queue.", ["model"]
)
LONGEST_BACKLOG_GENERATIONS: Final = Gauge(
    "corral_gateway_longest_backlog_generations", "Most generations of one user that wait for the model.", ["model"]
)
REDIS_CONNECTED: Final = Gauge(
    "corral_gateway_redis_connected", "1 while what workers publish reaches this gateway through Redis, else 0."
)
PROMPT_TOKENS: Final = Counter(
    "corral_gateway_prompt_tokens_total", "Prompt tokens of finished generations.", ["model"]
)
GENERATED_TOKENS: Final = Counter("corral_gateway_generated_tokens_total", "Tokens of finished generations.", ["model"])
SMOKES: Final = Counter("corral_gateway_smokes_total", "Smoke generations by how they ended.", ["model", "outcome"])
SMOKE_SECONDS: Final = Histogram(
    "corral_gateway_smoke_seconds",
    "Time from a smoke generation's submission to its end, for those that went well.",
    ["model"],
    buckets=REQUEST_BUCKETS_S,
)

# What is counted begins at zero, so that the first of a kind is an increase.
for _reason in ("gateway_full", "queue_full", "redis_unavailable"):
    REJECTIONS.labels(_reason)
for _reason in ("runner_died", "worker_lost", "never_started"):
    RESUBMISSIONS.labels(_reason)
