"""Running an engine on a fake backend: what tests of the engine have in common."""

from collections import defaultdict
from collections.abc import Sequence

from fakes.backend import FakeBackend
from services.worker.engine.backend import Backend
from services.worker.engine.intake import ContextLimits
from services.worker.engine.loop import Engine
from services.worker.engine.prefix_cache import _Node
from services.worker.engine.scheduler import PrefillPace
from services.worker.engine.sequence import (
    NewSequence,
    PromptCut,
    SequenceEvent,
    SequenceFailed,
    SequenceFinished,
    TokensOut,
)
from shared.options import Options

STEPS_MAX = 20_000


class Outcome:
    """What became of one sequence."""

    def __init__(self) -> None:
        self.text = ""
        self.token_ids: list[int] = []
        self.left_out_tokens = 0  # of the prompt
        self.finished: SequenceFinished | None = None
        self.failed: SequenceFailed | None = None

    @property
    def ended(self) -> bool:
        return self.finished is not None or self.failed is not None

    def take(self, event: SequenceEvent) -> None:
        """Note an event; nothing may follow the last one."""
        assert not self.ended, f"{event} after the end"
        match event:
            case PromptCut(_, left_out_tokens):
                assert not self.token_ids, "the prompt was cut after its answer began"
                self.left_out_tokens = left_out_tokens
            case TokensOut(_, text, token_ids):
                self.text += text
                self.token_ids += token_ids
            case SequenceFinished():
                self.finished = event
            case SequenceFailed():
                self.failed = event


def new_engine(
    backend: Backend,
    *,
    batch_tokens_max: int = 64,
    context_tokens_max: int | None = None,
    prefill_tokens: int = 8,
    prompts_apart: bool = True,
) -> Engine:
    """An engine whose prompts advance by `prefill_tokens` a step while somebody decodes."""
    return Engine(
        backend,
        batch_tokens_max=batch_tokens_max,
        context_limits=ContextLimits(backend.context_tokens, context_tokens_max or backend.context_tokens),
        pace=PrefillPace(target_s=0.1, tokens_min=prefill_tokens, tokens_max=prefill_tokens),
        prompts_apart=prompts_apart,
    )


def new_sequence(
    sequence_id: int,
    prompt: str,
    *,
    tenant: str = "ann",
    options: Options | None = None,
    context: Sequence[int] = (),
    shared_prefix: str = "",
    shifts: bool = False,
    cuts_prompt: bool = False,
) -> NewSequence:
    return NewSequence(
        sequence_id=sequence_id,
        prompt=prompt,
        tenant=tenant,
        options=options or Options(temperature=0, num_predict=20),
        context=tuple(context),
        shared_prefix=shared_prefix,
        shifts=shifts,
        cuts_prompt=cuts_prompt,
    )


def run_until_idle(engine: Engine, outcomes: dict[int, Outcome] | None = None) -> dict[int, Outcome]:
    """Step until nothing is left to do and give what became of every sequence."""
    outcomes = defaultdict(Outcome) if outcomes is None else outcomes
    for _ in range(STEPS_MAX):
        if not engine.busy:
            return outcomes
        for event in engine.step():
            outcomes[event.sequence_id].take(event)
    raise AssertionError(f"still busy after {STEPS_MAX} steps")


def run_one(engine: Engine, new: NewSequence) -> Outcome:
    """Submit one sequence and run it to its end."""
    engine.submit(new)
    return run_until_idle(engine)[new.sequence_id]


def held_by_tree(engine: Engine) -> dict[int, list[int]]:
    """What the engine's prefix tree says each slot holds."""
    held: dict[int, list[int]] = {}
    branches: list[tuple[_Node, list[int]]] = [(engine._tree._root, [])]
    while branches:
        node, tokens = branches.pop()
        for child in node.children.values():
            path = [*tokens, *child.edge]
            for slot in child.slots:
                held[slot] = max(held.get(slot, []), path, key=len)
            branches.append((child, path))
    return held


def check_invariants(engine: Engine, backend: FakeBackend) -> None:
    """Memory, slots and tree tell one story, and exactly the busy slots have samplers."""
    tree = held_by_tree(engine)
    for slot in engine._slots:
        assert slot.tokens == backend.tokens(slot.index), f"slot {slot.index} is not what memory holds"
        known = tree.get(slot.index, [])
        assert slot.tokens[: len(known)] == known, f"the tree is wrong about slot {slot.index}"
        if slot.free:
            assert known == slot.tokens, f"free slot {slot.index} is not wholly in the tree"
    assert backend.open_samplers_count == sum(not slot.free for slot in engine._slots)
