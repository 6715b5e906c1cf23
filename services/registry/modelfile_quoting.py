"""How a text stands in a Modelfile so that it reads back as the same text. Pure.

The grammar has no escapes: a value is bare, or in quotes, or in triple quotes, and ends at the first line end where
the closing quotes stand. So a text with a line that ends in triple quotes cannot be written; a space between the
quotes is the least that has to change. Invisible characters are dropped by every reader.
Source: Ollama `parser/parser.go`.
"""

import re
from typing import Final

_LINE_END: Final = re.compile(r"[\r\n]|\Z")
_TRIPLE: Final = re.compile(r'""(?=")')
_SINGLE_QUOTE: Final = '"'
_TRIPLE_QUOTE: Final = '"""'


def quoted(text: str) -> str:
    """The plainest form that reads back as `text`; else the closest that reads back at all."""
    exact = _exact(text)
    if exact is not None:
        return exact
    visible = _visible(text)
    closest = _exact(visible)
    if closest is None:
        closest = _exact(_TRIPLE.sub('"" ', visible))
    assert closest is not None, "without triple quotes inside, triple quotes can hold any visible text"
    return closest


def reads_back(text: str) -> bool:
    """Whether a Modelfile can hold exactly this text."""
    return _exact(text) is not None


def comment(text: str) -> str:
    """One comment line."""
    return "# " + " ".join(_visible(text).split())


def _exact(text: str) -> str | None:
    # Ollama takes triple quotes for any text with quotes in it.
    forms = (_TRIPLE_QUOTE, _SINGLE_QUOTE) if _SINGLE_QUOTE in text else (_SINGLE_QUOTE, _TRIPLE_QUOTE)
    candidates = [text, *(f"{quotes}{text}{quotes}" for quotes in forms)]
    return next((candidate for candidate in candidates if value_of(candidate) == text), None)


def value_of(written: str) -> str | None:
    """What a reader makes of a value and nothing after it; None when it is more or less than one value."""
    for line_end in _LINE_END.finditer(written):
        so_far = _visible(written[: line_end.start()]).strip()
        if not so_far:
            return None
        value = _unquoted(so_far)
        if value is not None:
            return value if line_end.start() == len(written) else None
    return None


def _unquoted(text: str) -> str | None:
    for quotes in (_TRIPLE_QUOTE, _SINGLE_QUOTE):
        if text.startswith(quotes):
            closed = text.endswith(quotes) and len(text) >= 2 * len(quotes)
            return text[len(quotes) : -len(quotes)] if closed else None
    return text


def _visible(text: str) -> str:
    return "".join(character for character in text if character.isprintable() or character in "\n\r\t")
