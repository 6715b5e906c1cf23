"""Text put together piece by piece, refused as soon as it is more than its budget can pay."""

from shared.template_budget import CHARS_MADE_PER_STEP, Budget


class Pieces:
    """Charges nothing: the whole text is charged to the budget by whoever asked for it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._pieces: list[str] = []
        self._chars = 0

    def append(self, piece: str) -> None:
        """Raises: TemplateFailed when the pieces are too much by now; so does `expect`."""
        self.expect(len(piece))
        self._chars += len(piece)
        self._pieces.append(piece)

    def expect(self, chars: int) -> None:
        """Tell how long the next piece may be, before it is made."""
        total = self._chars + chars
        self._budget.foresee(built=total, steps=total // CHARS_MADE_PER_STEP)

    def joined(self) -> str:
        return "".join(self._pieces)
