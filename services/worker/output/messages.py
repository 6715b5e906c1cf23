"""Output in messages, each with a header that says whom it is for: to itself, to a tool, to the user. Pure.

    <|start|>assistant HEADER <|message|> BODY <|end|> <|start|>assistant HEADER <|message|> BODY …

The prompt ends before the first header. What is in a header is for `harmony` and `glimmer` to know.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from services.worker.output.scanning import Marks, Scanner
from services.worker.output.tools import Tools, read_calls
from shared.errors import ToolCallInvalid
from shared.generation import Piece, ToolCall, joined

_HEADER_END: Final = Marks("<|message|>")


class Kind(Enum):
    THOUGHT = auto()
    TEXT = auto()
    CALL = auto()


@dataclass(frozen=True, slots=True)
class MessageFormat:
    """`marks` are all special tokens of the format, `header_starts` what the first header may begin with,
    `body_ends` the tokens that end a message.

    `kind_of` judges a header. `read` reads the call in a header and a body, and raises what a `Reader` does.
    """

    marks: tuple[str, ...]
    header_starts: tuple[str, ...]
    body_ends: tuple[str, ...]
    kind_of: Callable[[str, Tools], Kind]
    read: Callable[[str, str, Tools], list[ToolCall]]


class MessagesOutput:
    """An OutputParser."""

    def __init__(self, messages: MessageFormat, tools: Tools, *, one_call: bool) -> None:
        self._format = messages
        self._tools = tools
        self._one_call = one_call
        self._has_called = False
        self._body_ends = Marks(*messages.body_ends)
        self._scanner = Scanner()
        self._header = ""
        self._kind: Kind | None = None
        self._parts: list[str] = []

    def feed(self, text: str) -> Piece:
        """Raises: ToolCallInvalid."""
        self._scanner.feed(text)
        pieces: list[Piece] = []
        goes_on = True
        while goes_on:
            piece, goes_on = self._in_header() if self._kind is None else self._in_body(self._kind)
            pieces.append(piece)
        return joined(pieces)

    def finish(self, *, is_cut: bool) -> Piece:
        """Raises: ToolCallInvalid."""
        rest = self._scanner.rest()
        if self._kind is None:
            return Piece(self._answer_without_header("".join(self._parts) + rest))
        if self._kind is not Kind.CALL:
            return _piece(self._kind, "" if is_cut else rest)
        try:
            return self._call()
        except ToolCallInvalid:
            if is_cut:
                return Piece()
            raise

    def _in_header(self) -> tuple[Piece, bool]:
        text, mark = self._scanner.until(_HEADER_END)
        self._parts.append(text)
        if mark:
            self._header, self._parts = "".join(self._parts) + mark, []
            self._kind = self._format.kind_of(self._header, self._tools)
        return Piece(), bool(mark)

    def _in_body(self, kind: Kind) -> tuple[Piece, bool]:
        """Raises: ToolCallInvalid."""
        text, mark = self._scanner.until(self._body_ends)
        if kind is Kind.CALL:
            self._parts.append(text)
        piece = _piece(kind, text)
        if mark:
            piece = self._call() if kind is Kind.CALL else piece
            self._kind, self._parts = None, []
        return piece, bool(mark)

    def _answer_without_header(self, text: str) -> str:
        """Whoever writes no headers at all has answered."""
        begins = any(text.startswith(start) or start.startswith(text) for start in self._format.header_starts)
        return "" if self._header or begins else text

    def _call(self) -> Piece:
        """Raises: ToolCallInvalid."""
        header = self._header
        calls = read_calls(
            lambda body, tools: self._format.read(header, body, tools), "".join(self._parts), self._tools
        )
        if self._one_call:
            calls = [] if self._has_called else calls[:1]
        self._has_called = self._has_called or bool(calls)
        return Piece(tool_calls=tuple(calls))


def _piece(kind: Kind, text: str) -> Piece:
    match kind:
        case Kind.THOUGHT:
            return Piece(thinking=text)
        case Kind.TEXT:
            return Piece(text)
        case Kind.CALL:
            return Piece()
