"""What reads a model's output, and the plainest that does."""

from typing import Protocol

from shared.generation import Piece


class OutputParser(Protocol):
    """Tells text, thoughts and calls of tools apart while the output arrives in arbitrary parts."""

    def feed(self, text: str) -> Piece:
        """What is certain now; the rest is held back until it is.

        Raises: ToolCallInvalid when a finished call cannot be understood.
        """

    def finish(self, *, is_cut: bool) -> Piece:
        """What was held back, now that the output is over; `is_cut` says that the model would have gone on.

        Raises: ToolCallInvalid when an unfinished call cannot be understood and was not cut.
        """


class PlainText:
    """Everything is the answer."""

    def feed(self, text: str) -> Piece:
        return Piece(text)

    def finish(self, *, is_cut: bool) -> Piece:  # noqa: ARG002 — the protocol's
        return Piece()
