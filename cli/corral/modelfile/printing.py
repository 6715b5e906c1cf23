"""Recipes as Modelfile text that reads back as the same recipe."""

from collections.abc import Iterator

from corral.modelfile.grammar import SINGLE, TRIPLE, Command, ModelfileInvalid, parse_commands
from corral.modelfile.parameters import parameter_lines
from corral.modelfile.recipe import Modelfile


def print_modelfile(recipe: Modelfile) -> str:
    """The canonical text of a recipe: equal recipes give equal texts, one instruction after the other.

    `parse` gives back the same recipe, deprecated parameters excepted, whose values a recipe does not keep.
    Raises: ModelfileInvalid for a text that the grammar cannot express; no parsed Modelfile holds one.
    """
    return "".join(f"{print_command(command)}\n" for command in commands_of(recipe))


def commands_of(recipe: Modelfile) -> Iterator[Command]:
    """The instructions in the order in which they are printed; empty ones only where emptiness says something."""
    yield from (Command("from", source) for source in recipe.sources)
    if recipe.adapter:
        yield Command("adapter", recipe.adapter)
    yield from (Command("draft", draft) for draft in recipe.drafts)
    for name, text in (("template", recipe.template), ("system", recipe.system)):
        if text is not None:
            yield Command(name, text)
    for name, text in (("renderer", recipe.renderer), ("parser", recipe.parser), ("requires", recipe.requires)):
        if text:
            yield Command(name, text)
    yield from (Command("parameter", text, name) for name, text in parameter_lines(recipe.parameters))
    yield from (Command("license", text) for text in recipe.licenses)
    yield from (Command("message", text, role) for role, text in recipe.messages)


def print_command(command: Command) -> str:
    """One instruction in the plainest of the three forms that reads back.

    There are no escapes, so a line that ends in quotes needs the other quotes, or none at all.
    Raises: ModelfileInvalid when no form reads back.
    """
    head = " ".join(filter(None, (command.name.upper(), command.key)))
    for quotes in ("", SINGLE, TRIPLE) if command.value else (SINGLE,):
        text = f"{head} {quotes}{command.value}{quotes}"
        if _read_back(text) == [command]:
            return text
    raise ModelfileInvalid(f"this text cannot be written in a Modelfile: {command.value!r}")


def _read_back(text: str) -> list[Command]:
    try:
        return list(parse_commands(f"{text}\n"))
    except ModelfileInvalid:
        return []
