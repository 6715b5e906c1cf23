"""Laws of choosing slots and of what tenants may see of each other."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.engine.sequence import NewSequence, Sequence
from services.worker.engine.slots import COPY_TOKENS_MIN, Candidate, Slot, choose, reusable_tokens
from shared.options import Options

COUNT = st.integers(0, 200)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    slots = []
    for index in range(draw(st.integers(1, 8))):
        held = draw(COUNT)
        reusable = draw(st.integers(0, held))
        slots.append(
            Candidate(
                index=index,
                free=draw(st.booleans()),
                held_tokens=held,
                reusable_tokens=reusable,
                used_order=draw(st.integers(0, 50)),
            )
        )
    return slots


@given(candidates())
def test_a_free_slot_is_found_whenever_there_is_one(slots: list[Candidate]) -> None:
    choice = choose(slots)
    assert (choice is not None) == any(slot.free for slot in slots)
    if choice is not None:
        assert slots[choice.slot].free


@given(candidates())
def test_a_choice_never_promises_more_than_its_source_may_serve(slots: list[Candidate]) -> None:
    choice = choose(slots)
    if choice is not None:
        assert choice.reused_tokens <= slots[choice.source].reusable_tokens
        assert choice.source == choice.slot or choice.reused_tokens >= COPY_TOKENS_MIN


@given(candidates())
def test_a_beginning_worth_copying_is_never_computed_again(slots: list[Candidate]) -> None:
    choice = choose(slots)
    best = max(slot.reusable_tokens for slot in slots)
    if choice is not None and best >= COPY_TOKENS_MIN and len(slots) > 1:
        assert choice.reused_tokens == best


@given(held=COUNT, shared_there=COUNT, undecoded=COUNT, prompt=st.integers(1, 200), shared_here=COUNT,
       same=st.booleans(), reproducible=st.booleans(), data=st.data())  # fmt: skip
def test_what_is_reused_is_allowed_by_every_rule(
    held: int, shared_there: int, undecoded: int, prompt: int, shared_here: int, same: bool, reproducible: bool,
    data: st.DataObject,
) -> None:  # fmt: skip
    slot = Slot(0)
    slot.tokens, slot.tenant = list(range(held)), "ann"
    slot.shared_tokens, slot.undecoded_tokens = shared_there, undecoded
    new = NewSequence(
        sequence_id=1, prompt="", tenant="ann" if same else "bob", options=Options(reproducible=reproducible)
    )
    sequence = Sequence(
        new, prompt=list(range(prompt)), media={}, shared_tokens=shared_here, markers={}, tokens_max=1000, received_ns=0
    )  # fmt: skip
    matched = data.draw(st.integers(0, min(held, prompt)))
    usable = reusable_tokens(slot, sequence, matched)
    assert 0 <= usable <= matched
    assert usable < prompt
    if not same:
        assert usable <= min(shared_there, shared_here)
    if reproducible:
        assert usable <= undecoded
