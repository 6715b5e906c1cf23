"""Log-probabilities wait for the text of their tokens: what a stop string holds back or cuts, they follow. Pure."""

from collections import deque
from typing import NamedTuple

from shared.generation import TokenLogprob


class _Held(NamedTuple):
    """A token's share of the text, in characters from the text's beginning."""

    begin: int
    end: int
    logprob: TokenLogprob


class HeldLogprobs:
    """Those of one sequence. A token is told with the last of its characters, or with the last that is ever shown."""

    def __init__(self) -> None:
        self._held: deque[_Held] = deque()
        self._characters_count = 0
        self._shown_count = 0

    def add(self, logprob: TokenLogprob, characters_count: int) -> None:
        """A token that completes so many characters; 0 when it only begins one."""
        begin = self._characters_count
        self._characters_count += characters_count
        self._held.append(_Held(begin, self._characters_count, logprob))

    def release(self, shown_count: int) -> tuple[TokenLogprob, ...]:
        """So many more characters are shown: the tokens that are wholly told now."""
        self._shown_count += shown_count
        released: list[TokenLogprob] = []
        while self._held and self._held[0].end <= self._shown_count:
            released.append(self._held.popleft().logprob)
        return tuple(released)

    def cut(self) -> tuple[TokenLogprob, ...]:
        """Nothing more is shown: the token of which a part was."""
        return tuple(held.logprob for held in self._held if held.begin < self._shown_count)
