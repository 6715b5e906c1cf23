"""Text that arrives in parts, searched for marks without looking at any of it twice. Pure."""

import re


class Marks:
    """Texts to look for. Where several begin at one place, the longest counts."""

    def __init__(self, *texts: str) -> None:
        ordered = sorted({text for text in texts if text}, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(re.escape, ordered)) or "(?!)")
        self.longest = len(ordered[0]) if ordered else 0
        self.beginnings = frozenset(text[:length] for text in ordered for length in range(1, len(text)))

    def __bool__(self) -> bool:
        return self.longest > 0


class Scanner:
    """Holds back only what may be the beginning of a mark."""

    def __init__(self) -> None:
        self._text = ""
        self._at = 0

    def feed(self, text: str) -> None:
        self._text = self._text[self._at :] + text
        self._at = 0

    def until(self, marks: Marks) -> tuple[str, str]:
        """The text before the next mark, and the mark; or all that is none, and no mark."""
        found = marks.pattern.search(self._text, self._at)
        if found is not None and not self._may_grow(found.start(), marks):
            before = self._text[self._at : found.start()]
            self._at = found.end()
            return before, found.group()
        end = self._beginning(marks) if found is None else found.start()
        before = self._text[self._at : end]
        self._at = end
        return before, ""

    def rest(self) -> str:
        """What is held back; nothing is afterwards."""
        text, self._text, self._at = self._text[self._at :], "", 0
        return text

    def _may_grow(self, start: int, marks: Marks) -> bool:
        """Whether the mark found at `start` may yet become a longer one."""
        return len(self._text) - start < marks.longest and self._text[start:] in marks.beginnings

    def _beginning(self, marks: Marks) -> int:
        """Where the longest end of the text starts that a mark begins with."""
        size = len(self._text)
        for start in range(max(self._at, size - marks.longest + 1), size):
            if self._text[start:] in marks.beginnings:
                return start
        return size


class HeldSpace:
    """Holds whitespace back until it is known not to stand before a mark."""

    def __init__(self, *, skips: bool = False) -> None:
        self._held: list[str] = []
        self._skips = skips

    def feed(self, text: str) -> str:
        """The text, and what was held before it, up to its last word."""
        if self._skips:
            text = text.lstrip()
            self._skips = not text
        shown = text.rstrip()
        space = text[len(shown) :]
        if not shown:
            self._held.append(space)
            return ""
        shown = "".join(self._held) + shown
        self._held = [space]
        return shown

    def drop(self) -> None:
        """Forget what is held, and skip what follows: here is a mark."""
        self._held = []
        self._skips = True

    def flush(self) -> str:
        held, self._held = "".join(self._held), []
        return held
