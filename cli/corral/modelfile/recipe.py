"""What a Modelfile asks for, typed. Carrying it out is `corral.building`'s."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from corral.modelfile.grammar import Command, ModelfileInvalid, parse_commands
from corral.modelfile.parameters import DEPRECATED, ParameterValue, typed_parameters

_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_WORDS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_SEMVER: Final = re.compile(rf"v?({_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:-({_WORDS}))?(?:\+{_WORDS})?)?)?)\Z")
"""As `golang.org/x/mod/semver` has it, with minor and patch optional; a pre-release is checked further in code."""


@dataclass(frozen=True)
class Modelfile:
    """What a model is to be made of; of repeated commands the last wins where only one counts.

    `deprecated` names parameters that were left out.
    """

    sources: tuple[str, ...]
    adapter: str = ""
    drafts: tuple[str, ...] = ()
    template: str | None = None
    system: str | None = None
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    licenses: tuple[str, ...] = ()
    messages: tuple[tuple[str, str], ...] = ()
    parameters: dict[str, ParameterValue] = field(default_factory=dict)
    deprecated: tuple[str, ...] = ()


def parse(text: str) -> Modelfile:
    """Raises: ModelfileInvalid."""
    commands = tuple(parse_commands(text))
    if not any(command.name == "from" for command in commands):
        raise ModelfileInvalid("no FROM line")
    return interpret(commands)


def interpret(commands: Iterable[Command]) -> Modelfile:
    """Raises: ModelfileInvalid for a parameter or version that cannot be understood."""
    given: defaultdict[str, list[Command]] = defaultdict(list)
    for command in commands:
        given[command.name].append(command)
    last = {name: repeated[-1].value for name, repeated in given.items()}
    values = {name: tuple(command.value for command in repeated) for name, repeated in given.items()}
    keyed = {name: [(command.key, command.value) for command in repeated] for name, repeated in given.items()}
    parameters = keyed.get("parameter", [])
    return Modelfile(
        sources=values.get("from", ()),
        adapter=last.get("adapter", ""),
        drafts=values.get("draft", ()),
        template=last.get("template"),
        system=last.get("system"),
        renderer=last.get("renderer", ""),
        parser=last.get("parser", ""),
        requires=required_version(last["requires"]) if "requires" in last else "",
        licenses=values.get("license", ()),
        messages=tuple(keyed.get("message", ())),
        parameters=typed_parameters((name, text) for name, text in parameters if name not in DEPRECATED),
        deprecated=tuple(dict.fromkeys(name for name, _ in parameters if name in DEPRECATED)),
    )


def required_version(text: str) -> str:
    """The version without its `v`.

    Raises: ModelfileInvalid.
    """
    match = _SEMVER.match(text)
    if match is None or any(_has_leading_zero(word) for word in (match[2] or "").split(".")):
        raise ModelfileInvalid("requires must be a valid semver (e.g. 0.14.0)")
    return match[1]


def _has_leading_zero(word: str) -> bool:
    return word.isdigit() and len(word) > 1 and word[0] == "0"
