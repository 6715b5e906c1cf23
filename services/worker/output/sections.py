"""Output in sections: thoughts and calls between marks of their own, and the answer around them.

Most families of models write like that; `formats` has the marks. The states, and what moves between them:

    THOUGHT ──closing mark──▶ TEXT ──opening mark──▶ CALL
       ▲                      │  ▲                     │
       └────opening mark──────┘  └──its end────────────┘

A thought in `<think>` comes first or not at all: later the same letters are part of the answer, which may be about
them. Whitespace around a mark belongs to nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from services.worker.output.bodies import Body
from services.worker.output.scanning import HeldSpace, Marks, Scanner
from services.worker.output.tools import Reader, Tools, read_calls
from shared.errors import ToolCallInvalid
from shared.generation import Piece, ToolCall, joined


@dataclass(frozen=True, slots=True)
class CallSection:
    """`opening` … `closing`; without a closing mark the section ends with its JSON value.

    `inner` are special tokens that may stand within. A loose section is no more than a guess. Where its reader finds no
    call it was part of the answer, and an opening of one character, with which the JSON itself begins, or of none is so
    only where the answer begins.
    """

    opening: str
    read: Reader
    closing: str = ""
    is_loose: bool = False
    inner: tuple[str, ...] = ()

    @property
    def is_bracket(self) -> bool:
        return self.is_loose and len(self.opening) <= 1


@dataclass(frozen=True, slots=True)
class Sections:
    """The marks of a format. `silent` ones are left out of the answer. A thought ends where a call begins, too, if
    `calls_end_thoughts`, and may begin anywhere if `thoughts_recur`.
    """

    thought_opening: str = ""
    thought_closing: str = ""
    calls: tuple[CallSection, ...] = ()
    silent: tuple[str, ...] = ()
    calls_end_thoughts: bool = False
    thoughts_recur: bool = False


class _State(Enum):
    THOUGHT = auto()
    TEXT = auto()
    CALL = auto()


class SectionedOutput:
    """An OutputParser. `opened` says that the prompt ends inside a thought; `whole` reads all that is no thought."""

    def __init__(
        self, sections: Sections, tools: Tools, *, opened: bool, one_call: bool, whole: CallSection | None = None
    ) -> None:
        self._sections = sections
        self._tools = tools
        self._one_call = one_call
        self._whole = whole
        self._has_called = False
        self._scanner = Scanner()
        self._set_marks(sections)
        self._begin_text(skips=False)
        if opened:
            self._begin_thought()

    def feed(self, text: str) -> Piece:
        """Raises: ToolCallInvalid."""
        self._scanner.feed(text)
        pieces: list[Piece] = []
        goes_on = True
        while goes_on:
            piece, goes_on = self._step()
            pieces.append(piece)
        return joined(pieces)

    def finish(self, *, is_cut: bool) -> Piece:
        """What may be the beginning of a mark is none now; but a cut answer may lose it, as one cut a token earlier.

        Raises: ToolCallInvalid.
        """
        if self._state is _State.CALL:
            return self._unclosed_call(is_cut=is_cut)
        text = self._space.feed("" if is_cut else self._scanner.rest()) + self._space.flush()
        return Piece(thinking=text) if self._state is _State.THOUGHT else Piece(text)

    def _set_marks(self, sections: Sections) -> None:
        calls = tuple(section.opening for section in sections.calls if not section.is_bracket)
        brackets = tuple(section.opening for section in sections.calls if section.is_bracket)
        thought = (sections.thought_opening, sections.thought_closing)
        self._by_opening = {section.opening: section for section in sections.calls}
        self._only_first = frozenset((*brackets, *(() if sections.thoughts_recur else thought))) - {""}
        self._marks_in_thought = Marks(*thought, *(calls if sections.calls_end_thoughts else ()))
        self._marks_at_start = Marks(*thought, *calls, *brackets, *sections.silent)
        self._marks_in_text = Marks(*calls, *sections.silent, *(thought if sections.thoughts_recur else ()))

    def _begin_text(self, *, skips: bool) -> None:
        self._space = HeldSpace(skips=skips)
        self._is_blank = True
        self._state = _State.TEXT
        if self._whole is not None:
            self._begin_call(self._whole)

    def _begin_thought(self) -> None:
        self._space = HeldSpace(skips=True)
        self._is_blank = True
        self._state = _State.THOUGHT

    def _begin_call(self, section: CallSection) -> None:
        self._section = section
        self._body = Body(section.closing, bracket=section.opening if section.is_bracket else "")
        self._state = _State.CALL

    def _step(self) -> tuple[Piece, bool]:
        """What the text up to the next mark means, and whether there was a mark."""
        match self._state:
            case _State.THOUGHT:
                return self._in_thought()
            case _State.TEXT:
                return self._in_text()
            case _State.CALL:
                is_complete = self._body.take(self._scanner)
                return (self._closed_call() if is_complete else Piece()), is_complete

    def _in_thought(self) -> tuple[Piece, bool]:
        text, mark = self._scanner.until(self._marks_in_thought)
        self._is_blank = self._is_blank and not text.strip()
        is_opening = mark == self._sections.thought_opening
        # An opening mark after one in the prompt says nothing; later it is what the thought is about.
        thinking = self._space.feed(text + mark if is_opening and not self._is_blank else text)
        if mark and not is_opening:
            if mark == self._sections.thought_closing:
                self._begin_text(skips=True)
            else:
                self._begin_call(self._by_opening[mark])
        return Piece(thinking=thinking), bool(mark)

    def _in_text(self) -> tuple[Piece, bool]:
        text, mark = self._scanner.until(self._marks_at_start if self._is_blank else self._marks_in_text)
        self._is_blank = self._is_blank and not text.strip()
        if mark in self._only_first and not self._is_blank:
            return Piece(self._shown(text + mark)), True
        answer = self._shown(text)
        if mark:
            self._pass(mark)
        return Piece(answer), bool(mark)

    def _shown(self, text: str) -> str:
        may_come = self._is_blank or bool(self._marks_in_text)
        return self._space.feed(text) + ("" if may_come else self._space.flush())

    def _pass(self, mark: str) -> None:
        if mark == self._sections.thought_opening:
            self._begin_thought()
        elif (section := self._by_opening.get(mark)) is not None:
            self._begin_call(section)
        else:
            self._space.drop()

    def _closed_call(self) -> Piece:
        """Raises: ToolCallInvalid."""
        section, body = self._section, self._body
        self._whole = None
        try:
            calls = self._admitted(read_calls(section.read, body.text, self._tools))
        except ToolCallInvalid:
            if not section.is_loose:
                raise
            self._begin_text(skips=False)
            self._is_blank = False
            return Piece(self._shown(body.text))
        self._begin_text(skips=True)
        return Piece(tool_calls=calls)

    def _unclosed_call(self, *, is_cut: bool) -> Piece:
        """A call in JSON shows by itself whether all of it is there. Raises: ToolCallInvalid."""
        section, body = self._section, self._body
        if is_cut and not body.is_json:
            return Piece()
        try:
            return Piece(tool_calls=self._admitted(read_calls(section.read, body.text, self._tools)))
        except ToolCallInvalid:
            if section.is_bracket or (section.is_loose and not is_cut):
                return Piece(body.text + self._scanner.rest())
            if is_cut:
                return Piece()
            raise

    def _admitted(self, calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
        if self._one_call:
            calls = () if self._has_called else calls[:1]
        self._has_called = self._has_called or bool(calls)
        return tuple(calls)
