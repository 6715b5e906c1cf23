"""The compatibility table: every route and field has a row, every row a test, and nothing is ignored without a reason.

A row of fields covers the places it names; one written `` `tools[]…` `` covers all below it as well, except for fields
without effect and refused ones, which stand in rows of their own.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

import msgspec
import pytest

from services.gateway.openapi.bodies import anthropic, models, ollama, openai, responses
from services.gateway.openapi.routes import ROUTES
from source import ROOT, tree_of
from unit.services.gateway.openapi.field_reads import Declared, declared_fields, reasons_of

PAGE = ROOT / "docs" / "compatibility.md"
SECTIONS: dict[str, tuple[type, ...]] = {
    "Generate and chat": (ollama.OllamaGenerateBody, ollama.OllamaChatBody),
    "Embed": (ollama.OllamaEmbedBody, ollama.OllamaEmbeddingsBody),
    "Options": (ollama.OllamaOptions,),
    "Models": (models.ShowBody, models.CopyBody, models.DeleteBody, models.TransferBody, models.CreateBody),
    "Keys": (models.KeyBody,),
    "Restored keys": (models.KeyRestoreBody,),
    "Chat completions": (openai.OpenAiChatBody,),
    "Completions": (openai.OpenAiCompletionBody,),
    "Embeddings": (openai.OpenAiEmbeddingsBody,),
    "Responses": (responses.OpenAiResponsesBody,),
    "Transcriptions": (openai.OpenAiTranscriptionForm,),
    "Messages": (anthropic.AnthropicMessagesBody, anthropic.AnthropicCountBody),
}
OF_OPTIONS = ("options.", "parameters.")
"""Objects of Ollama's options, which have one section for all routes."""

STATUSES = ("same", "more", "differs", "no effect", "refused")
CODE = re.compile(r"`([^`]+)`")


class Row(msgspec.Struct, frozen=True):
    names: tuple[str, ...]
    status: str
    how: str
    tests: tuple[str, ...]

    def covers(self, place: str) -> bool:
        return any(
            place in (name, field(name)) or (name.endswith("…") and re.match(rf"{re.escape(field(name))}[.\[]", place))
            for name in self.names
        )


def field(name: str) -> str:
    """The field that a row names, without the marks of what is below it."""
    return name.removesuffix("…").removesuffix("[]")


def rows_of_sections() -> dict[str, list[Row]]:
    sections: dict[str, list[Row]] = {}
    title = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            title = line.lstrip("# ")
        elif line.startswith("| `"):
            names, status, how, tests = (cell.strip() for cell in line.strip("|").split(" | "))
            row = Row(tuple(CODE.findall(names)), status, how, tuple(CODE.findall(tests)))
            sections.setdefault(title, []).append(row)
    return sections


ROWS = rows_of_sections()
ALL_ROWS = [pytest.param(row, id=f"{title}-{row.names[0]}") for title, rows in ROWS.items() for row in rows]


def declared_in(title: str) -> dict[str, Declared]:
    """The places of a section's bodies; one that any of them minds has an effect."""
    found: dict[str, list[Declared]] = defaultdict(list)
    for body in SECTIONS[title]:
        for place, one in declared_fields(body).items():
            if not place.startswith(OF_OPTIONS):
                found[place].append(one)
    return {place: msgspec.structs.replace(several[0], reasons=reasons_of(several)) for place, several in found.items()}


def test_every_section_is_there() -> None:
    assert set(SECTIONS) <= set(ROWS)


@pytest.mark.parametrize("title", SECTIONS)
def test_every_declared_field_has_a_row_and_every_row_a_field(title: str) -> None:
    declared, rows = declared_in(title), ROWS[title]
    assert sorted(place for place in declared if not any(row.covers(place) for row in rows)) == [], "without a row"
    named = {field(name) for row in rows for name in row.names}
    assert sorted(named - set(declared)) == [], "not a field"


@pytest.mark.parametrize("title", SECTIONS)
def test_what_has_no_effect_or_is_refused_says_so_in_its_own_row(title: str) -> None:
    said = {name: row.status for row in ROWS[title] for name in row.names}
    declared = declared_in(title)
    silent = {place for place, one in declared.items() if not one.has_effect}
    refused = {place for place, one in declared.items() if one.is_refused}
    assert {name for name, status in said.items() if status == "no effect"} == silent
    assert {name for name, status in said.items() if status == "refused"} >= refused


@pytest.mark.parametrize("title", SECTIONS)
def test_the_reason_of_a_row_is_the_one_that_is_declared(title: str) -> None:
    how = {name: row.how for row in ROWS[title] for name in row.names}
    reasons = {place: one.reasons for place, one in declared_in(title).items() if not one.has_effect}
    assert {place: given for place, given in reasons.items() if not all(one in how[place] for one in given)} == {}


def test_every_route_has_a_row() -> None:
    described = {
        f"{one.method} {one.path}" for one in ROUTES if one.method != "HEAD" or one.path.startswith("/api/blobs")
    }
    assert {name for row in ROWS["Routes"] for name in row.names} == described


@pytest.mark.parametrize("row", ALL_ROWS)
def test_a_row_says_what_is_so_and_why(row: Row) -> None:
    assert row.status in STATUSES
    assert row.how or row.status == "same", "anything but the same needs words"
    assert row.tests, "a row needs a test"


@pytest.mark.parametrize("row", ALL_ROWS)
def test_the_tests_of_a_row_exist(row: Row) -> None:
    assert [test for test in row.tests if not exists(test)] == []


def exists(node_id: str) -> bool:
    file, _, name = node_id.partition("::")
    path = ROOT / file
    return path.is_file() and name in set(functions_of(tree_of(path)))


def functions_of(tree: ast.Module) -> Iterator[str]:
    return (node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
