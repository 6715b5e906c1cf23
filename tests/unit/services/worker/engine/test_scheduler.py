"""Which tokens the next passes compute."""

from services.worker.engine.scheduler import Limits, PrefillPace, Share, SlotView, plan

LIMITS = Limits(batch_tokens_max=8, prefill_tokens_max=3, prompts_apart=False)
APART = Limits(batch_tokens_max=8, prefill_tokens_max=3, prompts_apart=True)


def test_an_image_is_computed_whole_in_a_pass_of_its_own_after_the_streams() -> None:
    view = [SlotView(0, 1, 100, whole=True), SlotView(1, 2, 0), SlotView(2, 3, 5), SlotView(3, 4, 100, whole=True)]
    for limits in (LIMITS, APART):
        assert plan(view, limits) == ((Share(1, 1),), (Share(0, 100),))


def test_an_image_alone_needs_no_stream_beside_it() -> None:
    for limits in (LIMITS, APART):
        assert plan([SlotView(0, 1, 100, whole=True)], limits) == ((Share(0, 100),),)


def test_an_image_waits_for_the_texts_that_came_before_it() -> None:
    view = [SlotView(0, 1, 2), SlotView(1, 2, 100, whole=True), SlotView(2, 3, 0), SlotView(3, 4, 2)]
    assert plan(view, LIMITS) == ((Share(0, 2), Share(2, 1)),)
    assert plan(view, APART) == ((Share(2, 1),), (Share(0, 2),))


def test_nothing_is_planned_when_no_slot_is_busy() -> None:
    assert plan([], LIMITS) == ()


def test_a_prompt_alone_may_fill_the_whole_batch() -> None:
    assert plan([SlotView(0, 1, 100)], LIMITS) == ((Share(0, 8),),)


def test_a_prompt_beside_a_stream_gets_no_more_than_the_prefill_limit() -> None:
    assert plan([SlotView(0, 1, 100), SlotView(1, 2, 0)], LIMITS) == ((Share(0, 3), Share(1, 1)),)


def test_the_prompt_that_came_first_is_computed_first() -> None:
    assert plan([SlotView(0, 7, 100), SlotView(1, 3, 5)], LIMITS) == ((Share(0, 3), Share(1, 5)),)


def test_shares_are_in_slot_order_whatever_the_order_of_arrival() -> None:
    view = [SlotView(2, 1, 0), SlotView(0, 3, 0), SlotView(1, 2, 0)]
    assert [[share.slot for share in shares] for shares in plan(view, LIMITS)] == [[0, 1, 2]]


def test_more_streams_than_the_batch_holds_are_served_in_order_of_arrival() -> None:
    view = [SlotView(slot, 10 - slot, 0) for slot in range(10)]
    assert plan(view, LIMITS) == (tuple(Share(slot, 1) for slot in range(2, 10)),)


def test_apart_every_prompt_has_a_pass_of_its_own_after_the_streams() -> None:
    view = [SlotView(0, 1, 2), SlotView(1, 2, 0), SlotView(2, 3, 9), SlotView(3, 4, 0)]
    limits = Limits(batch_tokens_max=8, prefill_tokens_max=5, prompts_apart=True)
    assert plan(view, limits) == ((Share(1, 1), Share(3, 1)), (Share(0, 2),), (Share(2, 3),))


def test_apart_a_prompt_alone_does_not_wait_for_the_others() -> None:
    assert plan([SlotView(0, 1, 3), SlotView(1, 2, 3)], APART) == ((Share(0, 3),),)


def test_apart_no_prompt_token_is_computed_or_left_alone() -> None:
    stream = SlotView(7, 0, 0)
    assert plan([stream, SlotView(0, 1, 4)], APART)[1:] == ((Share(0, 2),),)
    assert plan([stream, SlotView(0, 1, 2), SlotView(1, 2, 5)], APART)[1:] == ((Share(0, 2),),)


def test_apart_a_prompt_of_one_token_is_computed_all_the_same() -> None:
    assert plan([SlotView(0, 1, 1)], APART) == ((Share(0, 1),),)


def test_the_pace_begins_careful_and_then_fills_the_target_time() -> None:
    pace = PrefillPace(target_s=0.1, tokens_min=16, tokens_max=512)
    assert pace.tokens == 16
    pace.observe(prefill_tokens=100, step_s=0.1)
    assert pace.tokens == 100


def test_a_slow_model_still_gets_the_least_prefill() -> None:
    pace = PrefillPace(target_s=0.1, tokens_min=16, tokens_max=512)
    pace.observe(prefill_tokens=16, step_s=10.0)
    assert pace.tokens == 16


def test_a_fast_model_gets_no_more_than_the_most() -> None:
    pace = PrefillPace(target_s=0.1, tokens_min=16, tokens_max=512)
    pace.observe(prefill_tokens=512, step_s=0.001)
    assert pace.tokens == 512


def test_steps_with_hardly_any_prompt_tokens_teach_nothing() -> None:
    pace = PrefillPace(target_s=0.1, tokens_min=16, tokens_max=512)
    pace.observe(prefill_tokens=100, step_s=0.1)
    pace.observe(prefill_tokens=15, step_s=5.0)
    assert pace.tokens == 100


def test_one_slow_step_moves_the_pace_only_part_of_the_way() -> None:
    pace = PrefillPace(target_s=0.1, tokens_min=1, tokens_max=512)
    pace.observe(prefill_tokens=100, step_s=0.1)
    pace.observe(prefill_tokens=100, step_s=0.2)
    assert pace.tokens == round(0.1 / (0.8 * 0.001 + 0.2 * 0.002))
