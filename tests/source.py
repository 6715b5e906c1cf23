"""The repository's own files, for tests about the repository."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = ("services", "shared", "cli/corral", "bench", "tools")


INSTALLED = frozenset({".venv", "node_modules"})
"""Folders of other people's files, which tests may have put among ours."""


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in (ROOT / folder).rglob("*.py") if INSTALLED.isdisjoint(path.parts))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def shown(path: Path, line: int | None = None) -> str:
    return f"{path.relative_to(ROOT)}" + (f":{line}" if line else "")


def documents() -> list[Path]:
    """What people read: the pages at the root and under docs/."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
