"""Which slot a new sequence takes, and what it may reuse there."""

import pytest

from services.worker.engine.sequence import NewSequence, Sequence
from services.worker.engine.slots import COPY_TOKENS_MIN, Candidate, Choice, Slot, choose, reusable_tokens
from shared.options import Options


def candidate(index: int, *, free: bool = True, held: int = 0, reusable: int = 0, used: int = 0) -> Candidate:
    return Candidate(index=index, free=free, held_tokens=held, reusable_tokens=reusable, used_order=used)


def slot(*, tenant: str, held: int, shared: int = 0, undecoded: int | None = None) -> Slot:
    result = Slot(0)
    result.tokens = list(range(held))
    result.tenant = tenant
    result.shared_tokens = shared
    result.undecoded_tokens = held if undecoded is None else undecoded
    return result


def sequence(*, tenant: str, prompt: int, shared: int = 0, reproducible: bool = False) -> Sequence:
    new = NewSequence(sequence_id=1, prompt="", tenant=tenant, options=Options(reproducible=reproducible))
    return Sequence(
        new,
        prompt=list(range(prompt)),
        media={},
        shared_tokens=shared,
        markers={},
        tokens_max=10_000,
        received_ns=0,
    )


def test_no_slot_is_chosen_when_all_are_busy() -> None:
    assert choose([candidate(0, free=False, held=90, reusable=90)]) is None


def test_the_slot_with_the_longest_usable_beginning_is_taken_in_place() -> None:
    slots = [candidate(0, held=50, reusable=20), candidate(1, held=50, reusable=40), candidate(2)]
    assert choose(slots) == Choice(slot=1, source=1, reused_tokens=40)


def test_the_beginning_of_a_busy_slot_is_copied_into_a_free_one() -> None:
    slots = [candidate(0, free=False, held=100, reusable=100), candidate(1)]
    assert choose(slots) == Choice(slot=1, source=0, reused_tokens=100)


def test_a_slot_that_holds_much_else_is_copied_from_instead_of_cut_down() -> None:
    slots = [candidate(0, held=1000, reusable=100), candidate(1)]
    assert choose(slots) == Choice(slot=1, source=0, reused_tokens=100)


def test_the_only_free_slot_is_cut_down_rather_than_computed_anew() -> None:
    slots = [candidate(0, held=1000, reusable=100), candidate(1, free=False)]
    assert choose(slots) == Choice(slot=0, source=0, reused_tokens=100)


@pytest.mark.parametrize(("reusable", "source"), [(COPY_TOKENS_MIN - 1, 1), (COPY_TOKENS_MIN, 0)])
def test_a_short_beginning_is_not_worth_a_copy(reusable: int, source: int) -> None:
    choice = choose([candidate(0, free=False, held=500, reusable=reusable), candidate(1)])
    assert choice is not None
    assert choice.source == source


def test_an_empty_slot_is_preferred_to_one_whose_contents_would_be_lost() -> None:
    assert choose([candidate(0, held=10, used=1), candidate(1)]) == Choice(slot=1, source=1, reused_tokens=0)


@pytest.mark.parametrize("oldest", [0, 1, 2])
def test_among_filled_slots_the_longest_unused_is_lost(oldest: int) -> None:
    choice = choose([candidate(index, held=10, used=1 if index == oldest else 5) for index in range(3)])
    assert choice == Choice(slot=oldest, source=oldest, reused_tokens=0)


def test_a_neighbour_of_a_busy_slot_is_preferred_among_empty_ones() -> None:
    choice = choose([candidate(0), candidate(1), candidate(2), candidate(3, free=False, held=5)])
    assert choice == Choice(slot=2, source=2, reused_tokens=0)


def test_the_last_prompt_tokens_are_always_computed_and_never_one_alone() -> None:
    assert reusable_tokens(slot(tenant="ann", held=10), sequence(tenant="ann", prompt=10), 10) == 8


def test_another_tenant_gets_only_what_both_sides_share() -> None:
    theirs = slot(tenant="ann", held=100, shared=30)
    assert reusable_tokens(theirs, sequence(tenant="bob", prompt=100, shared=20), 100) == 20
    assert reusable_tokens(theirs, sequence(tenant="bob", prompt=100, shared=50), 100) == 30
    assert reusable_tokens(theirs, sequence(tenant="bob", prompt=100), 100) == 0


def test_the_same_tenant_reuses_everything_that_matches() -> None:
    assert reusable_tokens(slot(tenant="ann", held=100), sequence(tenant="ann", prompt=80), 70) == 70


def test_a_reproducible_sequence_reuses_no_decoded_tokens() -> None:
    held = slot(tenant="ann", held=100, undecoded=40)
    assert reusable_tokens(held, sequence(tenant="ann", prompt=120, reproducible=True), 100) == 40
