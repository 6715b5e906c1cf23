"""Laws of the language: no source crashes it, text stays text, trim markers do what a simpler model of them does."""

import contextlib
import re

from hypothesis import given
from hypothesis import strategies as st

from shared.go_template import TemplateFailed, TemplateInvalid, parse_template, render
from shared.go_template.lexer import SPACES
from shared.go_template.values import Struct
from shared.template_budget import Budget

DATA: dict[str, object] = {
    "A": "text", "B": ["x", "y"], "C": {"k": 1, "l": None}, "D": 2, "E": 1.5, "F": None,
    "S": Struct("T", {"A": 1}, {"a": 1}),
}  # fmt: skip

fragments = st.sampled_from(
    [
        "{{", "}}", "{{- ", " -}}", " ", "\n", "(", ")", "|", ":=", "=", ",", "if", "else", "end", "range", "with",
        "define", "block", "template", "break", "continue", ".A", ".B", ".C.k", ".D", ".S.A", ".", "$", "$x", '"t"',
        "`r`", "'c'", "1", "-2", "1.5", "true", "nil", "eq", "and", "not", "len", "index", "slice", "printf", "print",
        "json", "html", "js", "urlquery", "call", "/*", "*/", "text", "\\", '"', "@", "é",
    ]
)  # fmt: skip
texts = st.text(max_size=200)
plain_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50).filter(lambda text: "{{" not in text)
spaced_texts = st.text("ab{} \n\t", max_size=8).filter(lambda text: "{{" not in text)


def rendered(source: str) -> str:
    return render(parse_template(source), DATA, Budget(steps_max=20_000))


@given(st.one_of(texts, st.lists(fragments, max_size=40).map(" ".join), st.lists(fragments, max_size=40).map("".join)))
def test_any_source_renders_or_is_refused(source: str) -> None:
    with contextlib.suppress(TemplateInvalid, TemplateFailed):
        rendered(source).encode()


@given(st.lists(st.lists(fragments, max_size=6).map(" ".join), max_size=6))
def test_any_actions_render_or_are_refused(actions: list[str]) -> None:
    with contextlib.suppress(TemplateInvalid, TemplateFailed):
        rendered("".join("{{ " + action + " }}" for action in actions)).encode()


operands = st.recursive(
    st.sampled_from(
        [".A", ".B", ".C", ".C.k", ".D", ".E", ".F", ".S", ".S.A", ".", "$", "$.A", "1", "2.5", '"s"', "nil"]
    ),
    lambda inner: st.builds(
        lambda name, arguments: f"({name} {' '.join(arguments)})",
        st.sampled_from(["eq", "ne", "lt", "and", "or", "not", "len", "index", "slice", "print", "json", "printf"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=5,
)
IF = "{{{{ if {} }}}}{}{{{{ else if {} }}}}{}{{{{ else }}}}{}{{{{ end }}}}"
WITH = "{{{{- with $x := {} -}}}}{}{{{{ $x }}}}{{{{ end }}}}"
RANGE = "{{{{ range $i, $v := {} }}}}{}{{{{ if $i }}}}{{{{ break }}}}{{{{ end }}}}{{{{ else }}}}{}{{{{ end }}}}"
ASSIGN = "{{{{ $y := {} }}}}{}{{{{ $y = 1 }}}}{{{{ $y }}}}"
BLOCK = '{{{{ block "{}" {} }}}}{}{{{{ end }}}}'
names = st.text("abcdefgh", min_size=4, max_size=9)
bodies = st.recursive(
    st.one_of(st.sampled_from(["a", " ", "\n"]), operands.map(lambda operand: "{{ " + operand + " }}")),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.builds(IF.format, operands, inner, operands, inner, inner),
        st.builds(WITH.format, operands, inner),
        st.builds(RANGE.format, operands, inner, inner),
        st.builds(ASSIGN.format, operands, inner),
        st.builds(BLOCK.format, names, operands, inner),
    ),
    max_leaves=6,
)


@given(bodies)
def test_a_well_formed_template_parses_and_at_most_fails_on_its_data(source: str) -> None:
    try:
        template = parse_template(source)
    except TemplateInvalid as refusal:
        assert "multiple definition" in refusal.message  # noqa: PT017 — two blocks may draw one name
        return
    with contextlib.suppress(TemplateFailed):
        assert render(template, DATA) == render(template, DATA)


@given(plain_texts)
def test_text_without_actions_renders_to_itself(text: str) -> None:
    assert rendered(text) == text


def trimmed_by_model(source: str) -> str:
    """What trimming leaves, worked out on the source as text: white space beside a marker goes, then the marker."""
    source = re.sub(r"[ \t\r\n]*\{\{- ", "{{ ", source)
    source = re.sub(r" -\}\}[ \t\r\n]*", " }}", source)
    return source.replace("{{ `|` }}", "|")


@given(
    st.lists(st.tuples(spaced_texts, st.sampled_from(["{{ ", "{{- "]), st.sampled_from([" }}", " -}}"])), max_size=5)
)
def test_trimming_agrees_with_a_model_that_edits_the_source(parts: list[tuple[str, str, str]]) -> None:
    # A brace right before an action would move its beginning.
    source = "".join(text.rstrip("{") + opening + "`|`" + closing for text, opening, closing in parts)
    assert rendered(source) == trimmed_by_model(source)


@given(plain_texts, plain_texts)
def test_trim_markers_remove_the_white_space_beside_them_and_nothing_else(before: str, after: str) -> None:
    before = before.rstrip("{")
    assert rendered(before + "{{- `|` -}}" + after) == before.rstrip(SPACES) + "|" + after.lstrip(SPACES)
    assert rendered(before + "{{ `|` }}" + after) == before + "|" + after


@given(plain_texts.filter(lambda text: "`" not in text and "\r" not in text))
def test_a_raw_string_prints_as_it_is(text: str) -> None:
    assert rendered("{{ `" + text + "` }}") == text


@given(st.lists(st.text("ab", max_size=3), max_size=8), st.integers(0, 8))
def test_a_slice_and_what_is_before_it_make_up_the_list(items: list[str], cut: int) -> None:
    template = parse_template("{{ range slice .L 0 .N }}{{ . }},{{ end }}{{ range slice .L .N }}{{ . }},{{ end }}")
    data = {"L": items, "N": min(cut, len(items))}
    assert render(template, data) == "".join(f"{item}," for item in items)


@given(plain_texts, st.integers(0, 60))
def test_a_text_cut_between_bytes_is_whole_when_put_together(text: str, cut: int) -> None:
    data = {"T": text, "N": min(cut, len(text.encode()))}
    assert render(parse_template("{{ slice .T 0 .N }}{{ slice .T .N }}"), data) == text
