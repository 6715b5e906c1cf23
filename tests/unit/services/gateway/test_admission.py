"""Whether a gateway takes one more generation."""

from services.gateway.admission import Admit, Limits, Load, Reject, decide

LIMITS = Limits(open_generations_max=3)


def test_it_takes_as_many_as_its_limit_and_not_one_more() -> None:
    assert isinstance(decide(Load(open_generations=2, redis_connected=True), LIMITS), Admit)
    full = decide(Load(open_generations=3, redis_connected=True), LIMITS)
    assert isinstance(full, Reject)
    assert (full.error.code, full.reason) == ("queue_full", "gateway_full")


def test_without_redis_it_says_so_at_once_and_when_to_come_back() -> None:
    lost = decide(Load(open_generations=0, redis_connected=False), LIMITS)
    assert isinstance(lost, Reject)
    assert (lost.error.code, lost.error.retry_after_s) == ("unavailable", 1.0)
