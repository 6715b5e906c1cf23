"""The two texts that Ollama signs instead of sending a password, and how old a signature may be. Pure.

Neither text holds a body. The text of a registry token names the full address and a nonce, and is good for one use on
one server. A command line's text names neither: two equal calls of one second (`ollama rm a b`) carry the very same
signature, so used ones cannot be told from copied ones, and nothing but its age bounds a signature's use. Whoever gets
hold of one may repeat that method on that path, with any body, until it is `SKEW_S_MAX` old; TLS is what keeps it.

Source: Ollama `api/client.go` (command line), `server/auth.go` (registry token), `auth/auth.go`.
"""

import base64
import hashlib
import re
from typing import Final

SKEW_S_MAX: Final = 300
"""How far a client's clock may be from ours, either way."""

NONCE_CHARS_MAX: Final = 64
_UNIX_S: Final = re.compile(r"[0-9]{1,12}\Z")
_NO_BODY: Final = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()


def command_line_text(method: str, path: str, ts: str) -> bytes:
    """What `ollama` signs when OLLAMA_AUTH is set; `path` is the API's own, without any prefix."""
    return f"{method},{path}?ts={ts}".encode("utf-8", "surrogateescape")


def token_text(url: str) -> bytes:
    """What an Ollama server signs to get a registry token; `url` is the full address it calls, query included."""
    return f"GET,{url},{_NO_BODY}".encode("utf-8", "surrogateescape")


def age_problem(ts: str, *, now_unix_ms: int) -> str | None:
    """Why a signature of this moment is not accepted now, or None."""
    if _UNIX_S.match(ts) is None:
        return "the signed request does not say when it was signed"
    skew_s = now_unix_ms / 1000 - int(ts)
    if abs(skew_s) <= SKEW_S_MAX:
        return None
    direction = "behind" if skew_s > 0 else "ahead of"
    return f"the signed request's clock is {abs(skew_s):.0f} seconds {direction} this server's; set it right"
