"""Laws of the Go template interpreter: no source crashes it, text stays text, trimming trims only white space."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from services.worker.chat_template import go_functions
from services.worker.chat_template.budget import Budget
from services.worker.chat_template.go_evaluator import execute
from services.worker.chat_template.go_lexer import SPACES
from services.worker.chat_template.go_parser import parse
from shared.errors import ParameterInvalid

DATA: dict[str, object] = {"A": "text", "B": ["x", "y"], "C": {"k": 1}, "D": 2}

fragments = st.sampled_from(
    [
        "{{", "}}", "{{- ", " -}}", " ", "\n", "(", ")", "|", ":=", "=", ",", "if", "else", "end", "range", "with",
        "define", "block", "template", "break", "continue", ".A", ".B", ".C", ".D", ".", "$", "$x", '"t"', "`r`", "'c'",
        "1", "-2", "1.5", "true", "nil", "eq", "and", "len", "index", "slice", "printf", "json", "/*", "*/", "text",
    ]
)  # fmt: skip
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
plain_texts = texts.filter(lambda text: "{{" not in text)


def rendered(source: str) -> str:
    return execute(parse(source, go_functions.NAMES), DATA, Budget(steps_max=20_000))


@given(st.one_of(texts, st.lists(fragments, max_size=40).map(" ".join), st.lists(fragments, max_size=40).map("".join)))
def test_any_source_renders_or_is_refused(source: str) -> None:
    with contextlib.suppress(ParameterInvalid):
        rendered(source)


@given(st.lists(st.lists(fragments, max_size=6).map(" ".join), max_size=6))
def test_any_actions_render_or_are_refused(actions: list[str]) -> None:
    with contextlib.suppress(ParameterInvalid):
        rendered("".join("{{ " + action + " }}" for action in actions))


@given(plain_texts)
def test_text_without_actions_renders_to_itself(text: str) -> None:
    assert rendered(text) == text


@given(plain_texts, plain_texts)
def test_trim_markers_remove_the_white_space_beside_them_and_nothing_else(before: str, after: str) -> None:
    before = before.rstrip("{")  # a brace before the action would move its beginning
    assert rendered(before + "{{- `|` -}}" + after) == before.rstrip(SPACES) + "|" + after.lstrip(SPACES)
    assert rendered(before + "{{ `|` }}" + after) == before + "|" + after


@given(texts.filter(lambda text: "`" not in text))
def test_a_raw_string_prints_as_it_is(text: str) -> None:
    assert rendered("{{ `" + text + "` }}") == text


@given(st.lists(st.text("ab", max_size=3), max_size=8), st.integers(0, 8))
def test_a_slice_and_what_is_before_it_make_up_the_list(items: list[str], cut: int) -> None:
    source = parse(
        "{{ range slice .L 0 .N }}{{ . }},{{ end }}{{ range slice .L .N }}{{ . }},{{ end }}", go_functions.NAMES
    )
    cut = min(cut, len(items))
    assert execute(source, {"L": items, "N": cut}, Budget()) == "".join(f"{item}," for item in items)
