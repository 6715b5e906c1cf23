"""Laws of planning."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.engine.scheduler import ROOM_MIN, Limits, PrefillPace, SlotView, plan

PENDING = st.one_of(st.just(0), st.integers(0, 2000))


@st.composite
def views(draw: st.DrawFn) -> list[SlotView]:
    pending = draw(st.lists(PENDING, max_size=16))
    orders = draw(st.permutations(range(len(pending))))
    return [SlotView(slot, orders[slot], tokens) for slot, tokens in enumerate(pending)]


LIMITS = st.builds(Limits, st.integers(ROOM_MIN, 512), st.integers(ROOM_MIN, 512), st.booleans())


def granted(view: list[SlotView], limits: Limits) -> dict[int, int]:
    """Tokens by slot over all passes of a plan; a slot is in one pass only."""
    shares = [share for shares in plan(view, limits) for share in shares]
    assert len({share.slot for share in shares}) == len(shares)
    return {share.slot: share.tokens_count for share in shares}


@given(views(), LIMITS)
def test_a_plan_keeps_every_limit(view: list[SlotView], limits: Limits) -> None:
    pending = {slot.slot: slot.pending_tokens for slot in view}
    tokens = granted(view, limits)
    assert all(1 <= count <= max(1, pending[slot]) for slot, count in tokens.items())
    for shares in plan(view, limits):
        assert shares
        assert sum(share.tokens_count for share in shares) <= limits.batch_tokens_max
        assert [share.slot for share in shares] == sorted(share.slot for share in shares)
    if any(pending[slot] == 0 for slot in tokens):
        assert sum(count for slot, count in tokens.items() if pending[slot]) <= limits.prefill_tokens_max


@given(views(), LIMITS)
def test_a_busy_engine_always_has_something_to_do(view: list[SlotView], limits: Limits) -> None:
    assert bool(plan(view, limits)) == bool(view)


@given(views(), LIMITS)
def test_streams_come_before_prompts(view: list[SlotView], limits: Limits) -> None:
    streams = {slot.slot for slot in view if slot.pending_tokens == 0}
    first = {share.slot for shares in plan(view, limits)[:1] for share in shares}
    assert len(first & streams) == min(len(streams), limits.batch_tokens_max)


@given(views(), LIMITS)
def test_no_prompt_is_computed_while_an_earlier_one_lacks_tokens(view: list[SlotView], limits: Limits) -> None:
    tokens = granted(view, limits)
    prompts = sorted((slot for slot in view if slot.pending_tokens), key=lambda slot: slot.order)
    complete = [tokens.get(slot.slot, 0) == slot.pending_tokens for slot in prompts]
    for index, slot in enumerate(prompts):
        if slot.slot in tokens:
            assert all(complete[:index])


@given(views(), st.integers(ROOM_MIN, 64), st.integers(ROOM_MIN, 64))
def test_apart_a_prompt_is_never_with_others_and_never_cut_into_single_tokens(
    view: list[SlotView], batch_tokens_max: int, prefill_tokens_max: int
) -> None:
    limits = Limits(batch_tokens_max, prefill_tokens_max, prompts_apart=True)
    pending = {slot.slot: slot.pending_tokens for slot in view}
    for shares in plan(view, limits):
        prompts = [share for share in shares if pending[share.slot]]
        assert not prompts or len(shares) == 1
        for share in prompts:
            whole = pending[share.slot]
            assert whole == 1 or share.tokens_count >= 2
            assert whole - share.tokens_count != 1


@given(st.lists(st.tuples(st.integers(0, 512), st.floats(1e-6, 100.0))), st.integers(1, 64), st.integers(64, 512))
def test_the_pace_stays_between_its_bounds(steps: list[tuple[int, float]], least: int, most: int) -> None:
    pace = PrefillPace(target_s=0.15, tokens_min=least, tokens_max=most)
    for tokens, step_s in steps:
        pace.observe(prefill_tokens=tokens, step_s=step_s)
        assert least <= pace.tokens <= most
