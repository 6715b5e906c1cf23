"""Laws of planning."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.engine.scheduler import Limits, PrefillPace, SlotView, plan

PENDING = st.one_of(st.just(0), st.integers(0, 2000))


@st.composite
def views(draw: st.DrawFn) -> list[SlotView]:
    pending = draw(st.lists(PENDING, max_size=16))
    orders = draw(st.permutations(range(len(pending))))
    return [SlotView(slot, orders[slot], tokens) for slot, tokens in enumerate(pending)]


LIMITS = st.builds(Limits, st.integers(1, 512), st.integers(1, 512))


@given(views(), LIMITS)
def test_a_plan_keeps_every_limit(view: list[SlotView], limits: Limits) -> None:
    shares = plan(view, limits)
    pending = {slot.slot: slot.pending_tokens for slot in view}
    assert sum(share.tokens_count for share in shares) <= limits.batch_tokens_max
    assert all(1 <= share.tokens_count <= max(1, pending[share.slot]) for share in shares)
    assert [share.slot for share in shares] == sorted({share.slot for share in shares})
    prefilled = sum(share.tokens_count for share in shares if pending[share.slot])
    if any(pending[share.slot] == 0 for share in shares):
        assert prefilled <= limits.prefill_tokens_max


@given(views(), LIMITS)
def test_a_busy_engine_always_has_something_to_do(view: list[SlotView], limits: Limits) -> None:
    assert bool(plan(view, limits)) == bool(view)


@given(views(), LIMITS)
def test_streams_come_before_prompts(view: list[SlotView], limits: Limits) -> None:
    served = {share.slot for share in plan(view, limits)}
    streams = {slot.slot for slot in view if slot.pending_tokens == 0}
    assert len(served & streams) == min(len(streams), limits.batch_tokens_max)


@given(views(), LIMITS)
def test_no_prompt_is_computed_while_an_earlier_one_lacks_tokens(view: list[SlotView], limits: Limits) -> None:
    granted = {share.slot: share.tokens_count for share in plan(view, limits)}
    prompts = sorted((slot for slot in view if slot.pending_tokens), key=lambda slot: slot.order)
    complete = [granted.get(slot.slot, 0) == slot.pending_tokens for slot in prompts]
    for index, slot in enumerate(prompts):
        if slot.slot in granted:
            assert all(complete[:index])


@given(st.lists(st.tuples(st.integers(0, 512), st.floats(1e-6, 100.0))), st.integers(1, 64), st.integers(64, 512))
def test_the_pace_stays_between_its_bounds(steps: list[tuple[int, float]], least: int, most: int) -> None:
    pace = PrefillPace(target_s=0.15, tokens_min=least, tokens_max=most)
    for tokens, step_s in steps:
        pace.observe(prefill_tokens=tokens, step_s=step_s)
        assert least <= pace.tokens <= most
