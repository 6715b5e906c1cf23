"""The two of Ollama's variables that concern `corral` itself; the services read the others. Pure.

OLLAMA_HOST counts only where it names this machine, and then for its port: the key in CORRAL_API_KEY is never shown to
a host that was set up for another program.
"""

import urllib.parse
from collections.abc import Mapping
from typing import Final, NamedTuple

DEFAULT_PORTS: Final = {"": "11434", "http": "80", "https": "443"}
THIS_MACHINE: Final = frozenset({"", "localhost", "127.0.0.1", "0.0.0.0", "::1", "::"})  # noqa: S104


class Adopted(NamedTuple):
    """A setting that has its value from a variable of Ollama's."""

    setting: str
    value: str
    variable: str


def adopted(environ: Mapping[str, str]) -> tuple[Adopted, ...]:
    """What Ollama's variables say that ours do not."""
    found: list[Adopted] = []
    port = _port(_cleaned(environ.get("OLLAMA_HOST", "")))
    if port and not environ.get("CORRAL_PORT"):
        found.append(Adopted("CORRAL_PORT", port, "OLLAMA_HOST"))
    models = _cleaned(environ.get("OLLAMA_MODELS", ""))
    if models and not environ.get("CORRAL_MODELS_DIR") and not environ.get("CORRAL_REGISTRY_MODELS_DIR"):
        found.append(Adopted("CORRAL_MODELS_DIR", models, "OLLAMA_MODELS"))
    return tuple(found)


def with_adopted(environ: Mapping[str, str]) -> dict[str, str]:
    return {**environ, **{one.setting: one.value for one in adopted(environ)}}


def _cleaned(text: str) -> str:
    return text.strip().strip("\"'").strip()


def _port(host: str) -> str:
    """The port of an address of this machine; empty for another's, and for a text that is none."""
    scheme, separator, rest = host.partition("://")
    scheme, rest = (scheme, rest) if separator else ("", host)
    if not host or scheme not in DEFAULT_PORTS:
        return ""
    try:
        parts = urllib.parse.urlsplit(f"//{rest}")
        port = parts.port
    except ValueError:
        return ""
    return str(port or DEFAULT_PORTS[scheme]) if (parts.hostname or "") in THIS_MACHINE else ""
