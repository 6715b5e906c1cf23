"""The radix tree against the obvious: a dictionary of lists."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.worker.engine.prefix_cache import PrefixTree

SLOT = st.integers(0, 5)
TOKENS = st.lists(st.integers(0, 2), max_size=8)


def common_length(left: list[int], right: list[int]) -> int:
    length = 0
    while length < min(len(left), len(right)) and left[length] == right[length]:
        length += 1
    return length


class TreeAgainstLists(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.tree = PrefixTree()
        self.held: dict[int, list[int]] = {}

    @rule(slot=SLOT, tokens=TOKENS)
    def insert(self, slot: int, tokens: list[int]) -> None:
        self.tree.insert(slot, tokens)
        self.held[slot] = list(tokens)

    @rule(slot=SLOT, more=TOKENS)
    def extend(self, slot: int, more: list[int]) -> None:
        self.insert(slot, self.held.get(slot, []) + more)

    @rule(slot=SLOT)
    def remove(self, slot: int) -> None:
        self.tree.remove(slot)
        self.held.pop(slot, None)

    @rule(tokens=TOKENS)
    def match(self, tokens: list[int]) -> None:
        lengths = {slot: common_length(held, tokens) for slot, held in self.held.items()}
        assert self.tree.matches(tokens) == {slot: length for slot, length in lengths.items() if length}

    @invariant()
    def each_slot_is_found_whole(self) -> None:
        for slot, held in self.held.items():
            assert self.tree.matches(held).get(slot, 0) == len(held)

    @invariant()
    def an_empty_tree_keeps_no_branches(self) -> None:
        if not any(self.held.values()):
            assert not self.tree._root.children


TestTreeAgainstLists = TreeAgainstLists.TestCase
TestTreeAgainstLists.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
