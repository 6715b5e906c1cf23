"""Which slot already holds the beginning of a prompt: a radix tree over token ids. KV memory itself is the backend's.

    root ── [1 2 3] ── [4 5]      held by slot 0
                    └─ [9]        held by slot 2
An edge carries a run of tokens; a node knows the slots whose contents pass through it or end there.
"""

from collections.abc import Iterator, Sequence


class _Node:
    __slots__ = ("children", "edge", "slots")

    def __init__(self, edge: tuple[int, ...]) -> None:
        self.edge = edge
        self.slots: set[int] = set()
        self.children: dict[int, _Node] = {}


def _common(a: Sequence[int], b: Sequence[int], offset: int) -> int:
    """How many tokens of `a` equal those of `b` from `offset` on."""
    length = min(len(a), len(b) - offset)
    if tuple(b[offset : offset + length]) == tuple(a[:length]):
        return length
    return next(index for index in range(length) if a[index] != b[offset + index])


class PrefixTree:
    """Contents of all slots, each at most once."""

    def __init__(self) -> None:
        self._root = _Node(())

    def insert(self, slot: int, tokens: Sequence[int]) -> None:
        """Record that `slot` now holds exactly `tokens`."""
        self.remove(slot)
        node, offset = self._root, 0
        while offset < len(tokens):
            child = node.children.get(tokens[offset])
            if child is None:
                child = _Node(tuple(tokens[offset:]))
                node.children[tokens[offset]] = child
            else:
                matched = _common(child.edge, tokens, offset)
                if matched < len(child.edge):
                    child = self._split(node, child, matched)
            child.slots.add(slot)
            offset += len(child.edge)
            node = child

    def remove(self, slot: int) -> None:
        """Forget the slot and the branches that only it held."""
        node = self._root
        while holder := next((child for child in node.children.values() if slot in child.slots), None):
            holder.slots.discard(slot)
            if not holder.slots:
                del node.children[holder.edge[0]]
                return
            node = holder

    def matches(self, tokens: Sequence[int]) -> dict[int, int]:
        """For every slot that shares a beginning with `tokens`, the length of it."""
        lengths: dict[int, int] = {}
        for slots, length in self._walk(tokens):
            for slot in slots:
                lengths[slot] = length
        return lengths

    def _walk(self, tokens: Sequence[int]) -> Iterator[tuple[set[int], int]]:
        node, offset = self._root, 0
        while offset < len(tokens):
            child = node.children.get(tokens[offset])
            if child is None:
                return
            matched = _common(child.edge, tokens, offset)
            offset += matched
            yield child.slots, offset
            if matched < len(child.edge):
                return
            node = child

    @staticmethod
    def _split(parent: _Node, child: _Node, length: int) -> _Node:
        """Cut an edge after `length` tokens and give the new middle node."""
        middle = _Node(child.edge[:length])
        middle.slots = set(child.slots)
        child.edge = child.edge[length:]
        middle.children[child.edge[0]] = child
        parent.children[middle.edge[0]] = middle
        return middle
