"""Ollama's variables, read as settings of ours: who has set up an Ollama need not set it up again.

A setting of ours always wins. What cannot be read is as if unset, as it is to Ollama. Variables that are not in the
table have no meaning here.
Source: Ollama `envconfig/config.go`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import structlog

from shared.errors import ParameterInvalid
from shared.go_duration import DURATION_S_MAX, parse_duration_ns
from shared.settings import variables_of

log = structlog.get_logger("corral.settings")

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORTS: Final = {"": "11434", "http": "80", "https": "443"}
PORT_MAX: Final = 65_535
UNLIMITED_S: Final = 31_536_000.0  # a year
_FALSE: Final = frozenset({"0", "f", "false"})


class Row(NamedTuple):
    """One of Ollama's variables: whose fields it sets, and its text as theirs. No values: it chooses the default.

    `values` raises ValueError for a text that says nothing.
    """

    variable: str
    services: tuple[str, ...]
    fields: tuple[str, ...]
    values: Callable[[str], tuple[str, ...]]


class Adopted(NamedTuple):
    """A setting that has its value from a variable of Ollama's."""

    setting: str
    value: str
    variable: str


class Adoption(NamedTuple):
    """An environment with Ollama's variables turned into settings, and what there is to tell of it."""

    environ: dict[str, str]
    adopted: tuple[Adopted, ...]
    unreadable: tuple[str, ...]


def adopt(environ: Mapping[str, str], service: str) -> Adoption:
    """What `environ` says to one service (`gateway`, `registry`, `worker`)."""
    adopted: list[Adopted] = []
    unreadable: list[str] = []
    for row in ROWS:
        text = environ.get(row.variable, "").strip().strip("\"'").strip()
        if service not in row.services or not text:
            continue
        try:
            values = dict(zip(row.fields, row.values(text), strict=False))
        except ValueError:
            unreadable.append(row.variable)
            continue
        for field, value in values.items():
            own, *_ = names = variables_of(field, prefix=f"CORRAL_{service.upper()}_")
            if not any(environ.get(name) for name in names):
                adopted.append(Adopted(own, value, row.variable))
    return Adoption({**environ, **{one.setting: one.value for one in adopted}}, tuple(adopted), tuple(unreadable))


def report(adoption: Adoption) -> None:
    """Log, once, what a service has from Ollama's variables."""
    for one in adoption.adopted:
        log.info("setting_adopted", setting=one.setting, value=one.value, variable=one.variable)
    for variable in adoption.unreadable:
        log.warning("setting_ignored", variable=variable, reason="it cannot be read")


def seconds(text: str) -> float:
    """A Go duration, or a whole number of seconds. Raises: ValueError."""
    try:
        return parse_duration_ns(text) / 1e9
    except ParameterInvalid:
        whole_s = int(text)
    if abs(whole_s) > DURATION_S_MAX:
        raise ValueError("longer than 292 years")
    return float(whole_s)


def _address(text: str) -> tuple[str, ...]:
    """Host and port to listen on, whichever is left out as Ollama has it."""
    scheme, separator, rest = text.partition("://")
    scheme, rest = (scheme, rest) if separator else ("", text)
    if scheme not in DEFAULT_PORTS:
        raise ValueError(f"unknown scheme {scheme}")
    authority = rest.partition("/")[0]
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(.*))?", authority)
    if bracketed:
        host, port = bracketed[1], bracketed[2] or ""
    else:
        # More than one colon, and no brackets: an IPv6 address without a port.
        host, _, port = authority.partition(":") if authority.count(":") <= 1 else (authority, "", "")
    if port and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= PORT_MAX):
        raise ValueError(f"no such port: {port}")
    return host or DEFAULT_HOST, port or DEFAULT_PORTS[scheme]


def _count(text: str) -> tuple[str, ...]:
    """A number above zero; zero leaves it to the server. Raises: ValueError."""
    number = int(text)
    if number < 0:
        raise ValueError("below zero")
    return (str(number),) if number else ()


def _text(text: str) -> tuple[str, ...]:
    return (text,)


def _keep_alive(text: str) -> tuple[str, ...]:
    return (str(seconds(text)),)


def _load_timeout(text: str) -> tuple[str, ...]:
    timeout_s = seconds(text)
    return (str(timeout_s if timeout_s > 0 else UNLIMITED_S),)


def _switch(text: str) -> tuple[str, ...]:
    """Any text but a word for "no" is a "yes"."""
    return ("false" if text.lower() in _FALSE else "true",)


def _debug(text: str) -> tuple[str, ...]:
    return () if text.lower() in _FALSE else ("debug",)


ROWS: Final = (
    Row("OLLAMA_HOST", ("gateway",), ("host", "port"), _address),
    Row("OLLAMA_ORIGINS", ("gateway",), ("origins",), _text),
    Row("OLLAMA_MAX_QUEUE", ("gateway",), ("queue_depth_max",), _count),
    Row("OLLAMA_MODELS", ("registry",), ("models_dir",), _text),
    Row("OLLAMA_KEEP_ALIVE", ("worker",), ("keep_alive_s",), _keep_alive),
    Row("OLLAMA_LOAD_TIMEOUT", ("worker",), ("load_timeout_s",), _load_timeout),
    Row("OLLAMA_CONTEXT_LENGTH", ("worker",), ("context_tokens",), _count),
    Row("OLLAMA_NUM_PARALLEL", ("worker",), ("num_parallel",), _count),
    Row("OLLAMA_MAX_LOADED_MODELS", ("worker",), ("max_loaded_models",), _count),
    Row("OLLAMA_FLASH_ATTENTION", ("worker",), ("flash_attention",), _switch),
    Row("OLLAMA_DEBUG", ("gateway", "registry", "worker"), ("log_level",), _debug),
)
