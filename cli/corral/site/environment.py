"""The site's name, ports and profiles, and the .env in which Compose reads them. Pure.

What .env says stands: options only fill in what it does not say, and one that says something else is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from corral.errors import CliError

HTTPS_PORT: Final = 443
PORT_MAX: Final = 65535
NAME_CHARS_MAX: Final = 253
UI: Final = "ui"
MONITORING: Final = "monitoring"

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_VARIABLE = re.compile(r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*?)\s*""")
_SAFE_UNQUOTED = re.compile(r"[A-Za-z0-9_.,:/-]*")

Variables = dict[str, str]


@dataclass(frozen=True)
class Wanted:
    """The options given; None is whatever .env says, or else the default."""

    server_names: tuple[str, ...] | None = None
    http_port: int | None = None
    https_port: int | None = None
    profiles: tuple[str, ...] | None = None


def server_names(text: str) -> tuple[str, ...]:
    """The names in `text`, between commas or spaces.

    Raises: CliError for what is not the name of a server. An address is none: TLS clients never tell it the server,
    which shows its certificate only to those who ask for it by name.
    """
    names = tuple(dict.fromkeys(text.lower().replace(",", " ").split()))
    for name in names:
        is_address = name.rpartition(".")[2].isdigit()
        if not _NAME.fullmatch(name) or len(name) > NAME_CHARS_MAX or is_address:
            raise CliError(f"'{name}' is not the name of a server: --server-name corral.example.org")
    if not names:
        raise CliError("the site needs a name: --server-name corral.example.org")
    return names


def parse(text: str) -> Variables:
    """The variables of a .env. Comments and anything else are passed over; Compose is the one to complain."""
    found = (_VARIABLE.fullmatch(line) for line in text.splitlines())
    return {match["name"]: _unquoted(match["value"]) for match in found if match}


def variables_for(said: Variables, wanted: Wanted, this_machine: str) -> Variables:
    """What .env shall say, with all that it says of these already; `this_machine` is the name when none is given.

    Raises: CliError when an option and .env differ, or a name or a port is none.
    """
    chosen = _chosen(wanted)
    for name, value in chosen.items():
        if said.get(name, value) != value:
            raise CliError(f".env says {name}={said[name]}, not {value}: change it there")
    names = server_names(chosen.get("CORRAL_SERVER_NAME") or said.get("CORRAL_SERVER_NAME") or this_machine)
    defaults = {
        "CORRAL_SERVER_NAME": " ".join(names),
        "CORRAL_HTTP_PORT": "80",
        "CORRAL_HTTPS_PORT": str(HTTPS_PORT),
        "COMPOSE_PROFILES": f"{UI},{MONITORING}",
    }
    settled = {name: said.get(name, chosen.get(name, default)) for name, default in defaults.items()}
    port = _port(settled["CORRAL_HTTPS_PORT"])
    _port(settled["CORRAL_HTTP_PORT"])
    public_url = f"https://{names[0]}" + ("" if port == HTTPS_PORT else f":{port}")
    return {**settled, "CORRAL_PUBLIC_URL": said.get("CORRAL_PUBLIC_URL", public_url)}


def completed(text: str, variables: Mapping[str, str]) -> str:
    """The text of a .env with the variables it lacks at its end."""
    said = parse(text)
    lines = [f"{name}={_quoted(value)}" for name, value in variables.items() if name not in said]
    before = text if not text or text.endswith("\n") else text + "\n"
    return before + "".join(f"{line}\n" for line in lines)


def _chosen(wanted: Wanted) -> Variables:
    options = {
        "CORRAL_SERVER_NAME": None if wanted.server_names is None else " ".join(wanted.server_names),
        "CORRAL_HTTP_PORT": wanted.http_port,
        "CORRAL_HTTPS_PORT": wanted.https_port,
        "COMPOSE_PROFILES": None if wanted.profiles is None else ",".join(wanted.profiles),
    }
    return {name: str(value) for name, value in options.items() if value is not None}


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= PORT_MAX):
        raise CliError(f"'{text}' is not a port")
    return int(text)


def _unquoted(value: str) -> str:
    for quote in "\"'":
        if value.startswith(quote):
            return value[1:].partition(quote)[0]
    return value.partition(" #")[0].rstrip()


def _quoted(value: str) -> str:
    return value if _SAFE_UNQUOTED.fullmatch(value) else f'"{value}"'
