"""How long failures are borne."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.transfers.retries import PAUSE_S_MAX, TRIES_MAX, Patience, pause_s, retried
from shared.errors import UpstreamFailed, UpstreamUnknown


@given(st.integers(1, 40), st.floats(0, 1))
def test_pauses_grow_and_have_a_limit(failures_count: int, share: float) -> None:
    assert 0 < pause_s(failures_count, share=share) <= PAUSE_S_MAX
    assert pause_s(failures_count, share=share) <= pause_s(failures_count + 1, share=1)


@pytest.fixture
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.registry.transfers.retries.PAUSE_S_MAX", 0.0)


@pytest.mark.usefixtures("_short_pauses")
async def test_what_keeps_failing_fails_with_its_last_failure() -> None:
    tries: list[UpstreamFailed] = []

    async def fail() -> None:
        tries.append(UpstreamFailed(f"failure {len(tries) + 1}"))
        raise tries[-1]

    with pytest.raises(UpstreamFailed, match=f"failure {TRIES_MAX}"):
        await retried(fail)
    assert len(tries) == TRIES_MAX


@pytest.mark.usefixtures("_short_pauses")
async def test_a_failure_that_passes_is_not_seen() -> None:
    failures = [UpstreamFailed("once"), UpstreamFailed("twice")]

    async def sometimes() -> str:
        if failures:
            raise failures.pop()
        return "here"

    assert await retried(sometimes) == "here"


async def test_a_refusal_is_not_asked_again() -> None:
    tries = 0

    async def refuse() -> None:
        nonlocal tries
        tries += 1
        raise UpstreamUnknown()

    with pytest.raises(UpstreamUnknown):
        await retried(refuse)
    assert tries == 1


@pytest.mark.usefixtures("_short_pauses")
async def test_a_try_that_gained_something_was_no_vain_one() -> None:
    patience = Patience()
    for _ in range(5 * TRIES_MAX):
        await patience.bear(UpstreamFailed("cut"), gained=True)
    for _ in range(TRIES_MAX - 2):
        await patience.bear(UpstreamFailed("dead"))
    with pytest.raises(UpstreamFailed, match="dead"):
        await patience.bear(UpstreamFailed("dead"))
