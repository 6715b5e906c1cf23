"""Stop strings over streamed text: what may be shown now, what must be held back. Pure."""

from collections.abc import Iterable


class StopMatcher:
    """Releases text up to the first stop string and nothing that could still become part of one."""

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.matched = ""

    @property
    def stopped(self) -> bool:
        """Whether a stop string was completed."""
        return bool(self.matched)

    def feed(self, text: str) -> str:
        """The text that is safe to show after `text` arrived; sets `matched` when a stop string was completed."""
        if not self._stops:
            return text
        self._held += text
        # The one completed first wins, so that the answer does not depend on how the text was cut into pieces.
        found = [(index + len(stop), index, stop) for stop in self._stops if (index := self._held.find(stop)) >= 0]
        if found:
            _, begin, self.matched = min(found)
            shown, self._held = self._held[:begin], ""
            return shown
        keep = self._possible_beginning()
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown

    def flush(self) -> str:
        """The held-back text, once the sequence has ended by itself."""
        shown, self._held = self._held, ""
        return shown

    def _possible_beginning(self) -> int:
        """Length of the longest end of the held text that a stop string begins with."""
        longest = min(len(self._held), max(len(stop) for stop in self._stops) - 1)
        for length in range(longest, 0, -1):
            tail = self._held[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0
