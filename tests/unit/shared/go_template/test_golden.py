"""Every construct of the language against texts worked out by hand from the documentation of Go's `text/template`.

The cases are in `golden/*.txt`: a `=== name`, then sections `--- data` (JSON, for all cases that follow it),
`--- template`, and `--- output` or `--- error`. A section is its lines without the last line's end.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.go_template import TemplateFailed, TemplateInvalid, parse_template, render

FOLDER = Path(__file__).parent / "golden"


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Each heading (`=== name` or `--- section`) with the text below it; lines above the first are remarks."""
    heading: str | None = None
    lines: list[str] = []
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith(("=== ", "--- ")):
            if heading is not None:
                yield heading, "\n".join(lines)
            heading, lines = line, []
        else:
            lines.append(line)
    if heading is not None:
        yield heading, "\n".join(lines)


def cases() -> Iterator[tuple[str, object, str, str, str]]:
    for path in sorted(FOLDER.glob("*.txt")):
        data: object = {}
        name = template = ""
        for heading, body in sections(path.read_text(encoding="utf-8")):
            match heading:
                case "--- data":
                    data = json.loads(body)
                case "--- template":
                    template = body
                case "--- output" | "--- error":
                    yield f"{path.stem}: {name}", data, template, heading.removeprefix("--- "), body
                case _:
                    assert heading.startswith("=== "), f"{path.name}: {heading}"
                    name = heading.removeprefix("=== ")


ALL = list(cases())


def test_every_topic_has_its_cases() -> None:
    topics = {name.split(":")[0] for name, *_ in ALL}
    assert topics == {path.stem for path in FOLDER.glob("*.txt")}
    assert len({name for name, *_ in ALL}) == len(ALL), "two cases have one name"


@pytest.mark.parametrize(("data", "template", "kind", "expected"), [case[1:] for case in ALL], ids=[c[0] for c in ALL])
def test_a_template_gives_what_it_gives_in_go(data: object, template: str, kind: str, expected: str) -> None:
    if kind == "output":
        assert render(parse_template(template), data) == expected
        return
    with pytest.raises((TemplateInvalid, TemplateFailed)) as caught:
        render(parse_template(template), data)
    assert caught.value.message == expected
