"""From a Modelfile's bytes to its commands. What the commands mean is `recipe.py`'s.

A command is a word, a blank and a value; `#` begins a comment only where a command may begin. A value in quotes or
triple quotes may run over lines and ends at the first line end where the closing quotes stand; there are no escapes.
Either of CR and LF ends a line. Blanks before a parameter's name or a role are skipped, where Ollama stumbles.
Source: Ollama `parser/parser.go`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from corral.errors import CliError

NAMES: Final = (
    "from", "license", "template", "system", "adapter", "draft", "renderer", "parser", "parameter", "message",
    "requires",
)  # fmt: skip
ROLES: Final = ("system", "user", "assistant")
TRIPLE: Final = '"""'
SINGLE: Final = '"'
_NO_COMMAND: Final = 'command must be one of {}, or "requires"'.format(", ".join(f'"{name}"' for name in NAMES[:-1]))
_NO_ROLE: Final = 'message role must be one of "system", "user", or "assistant"'
_CUT_SHORT: Final = "unexpected EOF"

_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_INDENT: Final = re.compile(r"[ \t]*")
_REST_OF_LINE: Final = re.compile(r"[^\r\n]*")
_NAME: Final = re.compile(r".[A-Za-z]*", re.DOTALL)
_LETTERS: Final = re.compile(r"[A-Za-z]*")
_WORD: Final = re.compile(r"[A-Za-z0-9_]*")


class ModelfileInvalid(CliError):
    """The text is not a Modelfile; the message names the line where one can be named."""


@dataclass(frozen=True)
class Command:
    """One instruction; `key` is a PARAMETER's name or a MESSAGE's role."""

    name: str
    value: str
    key: str = ""


def decode(content: bytes) -> str:
    """The file's text; UTF-16 only with a byte order mark, bytes that are no UTF-8 become U+FFFD."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="replace")


def parse_commands(text: str) -> Iterator[Command]:
    """The commands in their order.

    Raises: ModelfileInvalid.
    """
    position = _end(_BLANKS, text, 0)
    while position < len(text):
        if text[position] == "#":
            position = _end(_REST_OF_LINE, text, position)
        else:
            command, position = _command(text, position)
            yield command
        position = _end(_BLANKS, text, position)


def opening_quotes(text: str) -> str:
    """The quotes a value begins with; empty for a bare one."""
    return next((quotes for quotes in (TRIPLE, SINGLE) if text.startswith(quotes)), "")


def visible(text: str) -> str:
    """The text without its control characters, zero-width characters and unusual spaces."""
    return "".join(char for char in text if char.isprintable() or char in "\n\r\t")


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where the match that begins at `position` ends."""
    match = pattern.match(text, position)
    assert match is not None  # the patterns here match wherever they are tried
    return match.end()


def _fail(text: str, position: int, message: str) -> ModelfileInvalid:
    """An error in the line of the character at `position`; a line end there counts already."""
    line = 1 + len(re.findall(r"[\r\n]", text[: position + 1]))
    return ModelfileInvalid(f"(line {line}): {message}")


def _command(text: str, start: int) -> tuple[Command, int]:
    """The command that begins at `start`, and where its line ends."""
    position = _end(_NAME, text, start)
    if position == len(text):
        raise ModelfileInvalid(_CUT_SHORT)
    name = visible(text[start:position]).lower()
    if text[position] not in " \t" or name not in NAMES:
        raise _fail(text, position, _NO_COMMAND)
    key = ""
    if name in ("parameter", "message"):
        key, position = _key(text, position, name)
    value, position = _value(text, position)
    return Command(name, value, key), position


def _key(text: str, position: int, name: str) -> tuple[str, int]:
    """The word between the command and its value."""
    position = _end(_INDENT, text, position)
    end = _end(_WORD if name == "parameter" else _LETTERS, text, position)
    key = text[position:end]
    if end == len(text):
        raise ModelfileInvalid(_CUT_SHORT)
    if text[end] not in " \t":
        raise ModelfileInvalid(f"{_CUT_SHORT}: {key}")
    if name == "message" and key not in ROLES:
        raise _fail(text, end, _NO_ROLE)
    return key, end


def _value(text: str, start: int) -> tuple[str, int]:
    """The value that begins after `start`, over as many lines as its quotes ask for."""
    end = _end(_REST_OF_LINE, text, start)
    first = visible(text[start:end]).strip()
    quotes = opening_quotes(first)
    if not quotes:
        return first, end
    lines = [visible(text[start:end]).lstrip()]
    closed = first.endswith(quotes) and len(first) >= 2 * len(quotes)
    while not closed:
        if end == len(text):
            raise ModelfileInvalid(_CUT_SHORT)
        line_end, end = end, _end(_REST_OF_LINE, text, end + 1)
        lines.append(text[line_end] + visible(text[line_end + 1 : end]))
        closed = lines[-1].rstrip().endswith(quotes)
    return "".join(lines).rstrip()[len(quotes) : -len(quotes)], end
