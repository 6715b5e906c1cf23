"""Read a Modelfile: text to commands to a typed recipe. Files, uploads and the server are `commands/create.py`'s.

Grammar: commands are a word, a blank and a value; `#` begins a comment only where a command may begin; a value in
quotes or triple quotes may run over lines and ends at the first line end where the closing quotes stand. There are no
escapes. Either of CR and LF ends a line.
Source: Ollama `parser/parser.go`, `api/types.go` (FormatParams).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from corral.errors import CliError

NAMES: Final = (
    "from", "license", "template", "system", "adapter", "draft", "renderer", "parser", "parameter", "message",
    "requires",
)  # fmt: skip
ROLES: Final = ("system", "user", "assistant")
NO_COMMAND: Final = 'command must be one of {}, or "requires"'.format(", ".join(f'"{name}"' for name in NAMES[:-1]))
NO_ROLE: Final = 'message role must be one of "system", "user", or "assistant"'

INTS: Final = frozenset({
    "num_ctx", "num_keep", "num_predict", "seed", "top_k", "repeat_last_n", "num_batch", "num_gpu", "main_gpu",
    "num_thread", "draft_num_predict",
})  # fmt: skip
FLOATS: Final = frozenset({
    "temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty",
})  # fmt: skip
BOOLS: Final = frozenset({"use_mmap", "reproducible"})
LISTS: Final = frozenset({"stop"})
DEPRECATED: Final = frozenset({
    "mirostat", "mirostat_tau", "mirostat_eta", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock",
    "penalize_newline",
})  # fmt: skip
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})

_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_REST_OF_LINE: Final = re.compile(r"[^\r\n]*")
_LETTERS: Final = re.compile(r"[A-Za-z]*")
_WORD: Final = re.compile(r"[A-Za-z0-9_]*")
_LINE_END: Final = re.compile(r"[\r\n]|\Z")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+\Z")
_SEMVER: Final = re.compile(r"v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)\Z")

ParameterValue = int | float | bool | list[str]


class ModelfileInvalid(CliError):
    """The text is not a Modelfile; the message names the line where one can be named."""


@dataclass(frozen=True)
class Command:
    """One instruction; `key` is a PARAMETER's name or a MESSAGE's role."""

    name: str
    value: str
    key: str = ""


@dataclass(frozen=True)
class Modelfile:
    """What a model is to be made of, typed and with the last of repeated commands winning where only one counts."""

    sources: tuple[str, ...]
    adapter: str = ""
    draft: str = ""
    template: str | None = None
    system: str | None = None
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    licenses: tuple[str, ...] = ()
    messages: tuple[tuple[str, str], ...] = ()
    parameters: dict[str, ParameterValue] = field(default_factory=dict)
    deprecated: tuple[str, ...] = ()


def decode(content: bytes) -> str:
    """The file's text; UTF-16 only with a byte order mark, bytes that are no UTF-8 become U+FFFD."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="replace")


def parse(text: str) -> Modelfile:
    """Raises: ModelfileInvalid."""
    commands = tuple(parse_commands(text))
    if not any(command.name == "from" for command in commands):
        raise ModelfileInvalid("no FROM line")
    return interpret(commands)


def parse_commands(text: str) -> Iterator[Command]:
    """The commands in their order.

    Raises: ModelfileInvalid.
    """
    position = _skip(_BLANKS, text, 0)
    while position < len(text):
        if text[position] == "#":
            position = _skip(_REST_OF_LINE, text, position)
        else:
            command, position = _command(text, position)
            yield command
        position = _skip(_BLANKS, text, position)


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    assert match is not None  # the patterns here match the empty string too
    return match.end()


def _fail(text: str, position: int, message: str) -> ModelfileInvalid:
    line = 1 + len(re.findall(r"[\r\n]", text[: position + 1]))
    return ModelfileInvalid(f"(line {line}): {message}")


def _cut_short(buffer: str) -> ModelfileInvalid:
    return ModelfileInvalid(f"unexpected EOF: {buffer}" if buffer else "unexpected EOF")


def _command(text: str, start: int) -> tuple[Command, int]:
    """The command that begins at `start`, and where its line ends."""
    word, position = _first_word(text, start, _LETTERS)
    if position < len(text) and text[position] not in " \t":
        raise _fail(text, position, NO_COMMAND)
    name = word.lower()
    if position == len(text):
        raise _cut_short(word)
    if name not in NAMES:
        raise _fail(text, position, NO_COMMAND)
    key = ""
    if name in ("parameter", "message"):
        key, position = _key(text, position, name)
    value, position = _value(text, position)
    return Command(name, value, key), position


def _first_word(text: str, start: int, letters: re.Pattern[str]) -> tuple[str, int]:
    end = _skip(letters, text, start)
    return text[start:end], end


def _key(text: str, position: int, name: str) -> tuple[str, int]:
    """The word between the command and its value."""
    while position < len(text) and text[position] in " \t":
        position += 1
    key, position = _first_word(text, position, _WORD if name == "parameter" else _LETTERS)
    if not key or position == len(text) or text[position] not in " \t":
        raise _cut_short(key)
    if name == "message" and key not in ROLES:
        raise _fail(text, position, NO_ROLE)
    return key, position


def _value(text: str, start: int) -> tuple[str, int]:
    """The value that begins after `start`, over as many lines as its quotes ask for."""
    for line_end in _LINE_END.finditer(text, start):
        so_far = _visible(text[start : line_end.start()]).strip()
        if not so_far:
            raise _cut_short("")
        value = _unquoted(so_far)
        if value is not None:
            return value, line_end.start()
    raise _cut_short(_visible(text[start:]).strip())


def _visible(text: str) -> str:
    return "".join(char for char in text if char.isprintable() or char in "\n\r\t")


def _unquoted(text: str) -> str | None:
    """The text without its quotes; None while they are not closed."""
    for quotes in ('"""', '"'):
        if text.startswith(quotes):
            closed = text.endswith(quotes) and len(text) >= 2 * len(quotes)
            return text[len(quotes) : -len(quotes)] if closed else None
    return text


def interpret(commands: Iterable[Command]) -> Modelfile:
    """Raises: ModelfileInvalid for a parameter or version that cannot be understood."""
    last: dict[str, str] = {}
    repeated: dict[str, list[str]] = {"from": [], "license": []}
    messages: list[tuple[str, str]] = []
    given: dict[str, list[str]] = {}
    for command in commands:
        match command.name:
            case "from" | "license":
                repeated[command.name].append(command.value)
            case "message":
                messages.append((command.key, command.value))
            case "parameter":
                given.setdefault(command.key, []).append(command.value)
            case _:
                last[command.name] = command.value
    return Modelfile(
        sources=tuple(repeated["from"]),
        adapter=last.get("adapter", ""),
        draft=last.get("draft", ""),
        template=last.get("template"),
        system=last.get("system"),
        renderer=last.get("renderer", ""),
        parser=last.get("parser", ""),
        requires=required_version(last["requires"]) if "requires" in last else "",
        licenses=tuple(repeated["license"]),
        messages=tuple(messages),
        parameters={name: typed(name, values) for name, values in given.items() if name not in DEPRECATED},
        deprecated=tuple(name for name in given if name in DEPRECATED),
    )


def required_version(text: str) -> str:
    match = _SEMVER.match(text.strip())
    if match is None:
        raise ModelfileInvalid("requires must be a valid semver (e.g. 0.14.0)")
    return match[1]


def typed(name: str, values: list[str]) -> ParameterValue:
    """A parameter's value in its own type: the first one given, and all of them where it is a list."""
    first, shown = values[0], " ".join(values)
    if name in LISTS:
        return values
    if name in INTS:
        if not _INTEGER.match(first):
            raise ModelfileInvalid(f"invalid int value [{shown}]")
        return int(first)
    if name in FLOATS:
        try:
            return float(first)
        except ValueError as cause:
            raise ModelfileInvalid(f"invalid float value [{shown}]") from cause
    if name in BOOLS:
        if first not in _TRUE | _FALSE:
            raise ModelfileInvalid(f"invalid bool value [{shown}]")
        return first in _TRUE
    raise ModelfileInvalid(f"unknown parameter '{name}'")
