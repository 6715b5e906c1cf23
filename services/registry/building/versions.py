"""Versions `major[.minor[.patch[-pre][+build]]]` and their order, for a model's REQUIRES. Pure.

Source: semver.org 2.0.0, sections 9 to 11; `golang.org/x/mod/semver`, where missing parts count as 0.
"""

import re
from typing import Final

from shared.errors import ParameterInvalid
from shared.version import OLLAMA_VERSION

_NUMBER: Final = r"(0|[1-9][0-9]{0,17})"
_WORDS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_PRE_WORD: Final = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
"""A number without leading zeros, or anything that is no number."""

_PRE: Final = rf"({_PRE_WORD}(?:\.{_PRE_WORD})*)"
_SEMVER: Final = re.compile(rf"v?({_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:-{_PRE})?(?:\+{_WORDS})?)?)?)", re.ASCII)
_LENGTH_MAX: Final = 256

Precedence = tuple[tuple[int, int, int], tuple[tuple[int, int, str], ...]]

_RELEASE: Final = ((2, 0, ""),)
"""Sorts behind every pre-release identifier."""


def required_version(text: str) -> str:
    """The version a model requires, without the optional `v`; empty when the text is.

    Raises: ParameterInvalid when it is no version, or a later one than this server presents.
    """
    if not text:
        return ""
    match = _SEMVER.fullmatch(text) if len(text) <= _LENGTH_MAX else None
    if match is None:
        raise ParameterInvalid("requires must be a valid semver (e.g. 0.14.0)")
    version = match[1]
    if precedence(version) > precedence(OLLAMA_VERSION):
        raise ParameterInvalid(f"this model requires version {version} or later; this server has {OLLAMA_VERSION}")
    return version


def precedence(version: str) -> Precedence:
    """A key that orders valid versions; build metadata do not count."""
    match = _SEMVER.fullmatch(version)
    assert match is not None, "the version was checked"
    _, major, minor, patch, pre = match.groups()
    identifiers = tuple(_identifier(part) for part in pre.split(".")) if pre else _RELEASE
    return (int(major), int(minor or 0), int(patch or 0)), identifiers


def _identifier(text: str) -> tuple[int, int, str]:
    """Numbers before words, numbers by value, words by their characters."""
    return (0, int(text), "") if text.isdecimal() else (1, 0, text)
