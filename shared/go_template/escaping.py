"""Text made safe for HTML, JavaScript and queries, as Go's `html`, `js` and `urlquery` make it.

Source: Go `text/template/funcs.go`, `net/url`.
"""

import urllib.parse
from typing import Final

from shared.go_template.quoting import to_bytes

_HTML: Final = str.maketrans({"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"})
_JS: Final = {
    "\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D",
}  # fmt: skip


def html_escaped(text: str) -> str:
    return text.translate(_HTML)


def js_escaped(text: str) -> str:
    return "".join(_JS.get(character) or _js_character(character) for character in text)


def url_escaped(text: str) -> str:
    return urllib.parse.quote_plus(to_bytes(text))


def _js_character(character: str) -> str:
    return character if character.isprintable() else f"\\u{ord(character):04X}"
