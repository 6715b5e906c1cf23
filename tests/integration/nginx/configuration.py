"""nginx's language, as far as rules about the configuration need it: directives in blocks, includes opened."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*|(?P<mark>[{};])|"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<word>[^\s{};"'#]\S*?(?=[\s;])))"""
)


@dataclass(frozen=True)
class Directive:
    """`block` is what stands in its braces, None where it has none."""

    name: str
    arguments: tuple[str, ...]
    block: "Block | None" = None

    def __str__(self) -> str:
        return " ".join((self.name, *self.arguments))


@dataclass(frozen=True)
class Block:
    directives: tuple[Directive, ...]

    def named(self, name: str) -> list[Directive]:
        """The block's own directives of this name, not those of blocks within it."""
        return [directive for directive in self.directives if directive.name == name]

    def blocks(self) -> Iterator[tuple[Directive, "Block"]]:
        """Every block within this one, at any depth, with the directive it belongs to."""
        for directive in self.directives:
            if directive.block is not None:
                yield directive, directive.block
                yield from directive.block.blocks()

    def all(self) -> Iterator[Directive]:
        yield from self.directives
        for _, block in self.blocks():
            yield from block.directives


def read(path: Path, folder: Path) -> Block:
    """The file with everything it includes; `folder` is where relative names begin."""
    return _block(_tokens(path.read_text(encoding="utf-8")), folder)


def _tokens(text: str) -> Iterator[tuple[bool, str]]:
    """Words and marks in order, with whether it is a mark."""
    for match in _TOKEN.finditer(text):
        if match["mark"]:
            yield True, match["mark"]
        elif (word := match["word"] or match["double"] or match["single"]) is not None:
            yield False, word
        elif match["double"] is not None or match["single"] is not None:
            yield False, ""


def _block(tokens: Iterator[tuple[bool, str]], folder: Path) -> Block:
    """What stands before the closing brace, or the end."""
    directives: list[Directive] = []
    words: list[str] = []
    for is_mark, text in tokens:
        if not is_mark:
            words.append(text)
        elif text == "}":
            break
        elif text == ";" and words[0] == "include":
            for path in sorted(folder.glob(words[1])):
                directives += read(path, folder).directives
            words = []
        else:
            within = _block(tokens, folder) if text == "{" else None
            directives.append(Directive(words[0], tuple(words[1:]), within))
            words = []
    return Block(tuple(directives))
