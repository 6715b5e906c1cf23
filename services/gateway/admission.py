"""Whether this gateway takes one more generation: a rule over plain data. The fair queue's own limit is the queue's."""

import msgspec

from shared.errors import CorralError, QueueFull, Unavailable

RETRY_AFTER_S = 1.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway knows of itself at this moment."""

    open_generations: int
    redis_connected: bool


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    open_generations_max: int


class Admit(msgspec.Struct, frozen=True):
    """Go on."""


class Reject(msgspec.Struct, frozen=True):
    error: CorralError
    reason: str  # a metric's label


def decide(load: Load, limits: Limits) -> Admit | Reject:
    if not load.redis_connected:
        return Reject(redis_unavailable(), "redis_unavailable")
    if load.open_generations >= limits.open_generations_max:
        return Reject(QueueFull(retry_after_s=RETRY_AFTER_S), "gateway_full")
    return Admit()


def redis_unavailable() -> Unavailable:
    """What a client is told while the cluster has lost its Redis."""
    return Unavailable(
        "the cluster cannot reach its queue at the moment, please try again", retry_after_s=RETRY_AFTER_S
    )
