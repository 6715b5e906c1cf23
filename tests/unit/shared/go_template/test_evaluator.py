"""Rendering beyond what `golden/` can show: structs, dates, and what stops a template that does too much."""

import time
import tracemalloc
from datetime import UTC, datetime

import pytest

from shared.errors import Kind
from shared.go_template import TemplateFailed, parse_template, render
from shared.go_template.values import Struct, TypeNames
from shared.template_budget import Budget

POINT = Struct("api.Point", {"X": 3, "Y": "four"}, {"x": 3, "y": "four"})


def rendered(source: str, data: object, budget: Budget | None = None) -> str:
    return render(parse_template(source), data, budget)


def test_a_struct_has_its_fields_and_no_others() -> None:
    assert rendered("{{ .P.X }}{{ .P.Y }}{{ with .P }}{{ .X }}{{ end }}{{ if .P }} true{{ end }}", {"P": POINT}) == (
        "3four3 true"
    )
    with pytest.raises(TemplateFailed) as caught:
        rendered("{{ .P.Z }}", {"P": POINT})
    assert caught.value.message == ('template: :1:3: executing "" at <.P.Z>: can\'t evaluate field Z in type api.Point')


def test_a_failures_words_can_be_sent_on_whatever_the_data_hold() -> None:
    with pytest.raises(TemplateFailed, match="range can't iterate over \ufffd") as caught:
        rendered(r'{{ range "\xff" }}{{ end }}', {})
    caught.value.message.encode()


def test_a_struct_cannot_be_gone_over() -> None:
    with pytest.raises(TemplateFailed, match=r"range can't iterate over \{3 four\}"):
        rendered("{{ range . }}{{ end }}", POINT)


def test_a_failure_is_no_fault_of_the_caller() -> None:
    with pytest.raises(TemplateFailed) as caught:
        rendered("{{ index .L 1 }}", {"L": []})
    assert caught.value.kind is Kind.INTERNAL


def test_the_typescript_type_of_a_tools_parameter_lists_its_alternatives() -> None:
    integer = Struct("ToolProperty", {"Type": TypeNames(["integer", "null"]), "AnyOf": []}, {})
    array = Struct("ToolProperty", {"Type": TypeNames(["array"]), "AnyOf": []}, {})
    either = Struct("ToolProperty", {"Type": TypeNames(), "AnyOf": [integer, array]}, {})
    source = "{{ toTypeScriptType . }}"
    assert rendered(source, either) == "number | null | any[]"
    assert [rendered(source, Struct("ToolProperty", {"Type": [name]}, {})) for name in ("object", "boolean", "x")] == [
        "Record<string, any>",
        "boolean",
        "any",
    ]
    assert rendered(source, "no property") == "any"


def test_dates_are_days_and_yesterday_comes_before_today() -> None:
    today, yesterday, ignored = rendered('{{ currentDate }} {{ yesterdayDate }} {{ currentDate "x" }}', {}).split()
    days = (datetime.fromisoformat(today) - datetime.fromisoformat(yesterday)).days
    assert (days, ignored) == (1, today)
    assert abs((datetime.now(tz=UTC).replace(tzinfo=None) - datetime.fromisoformat(today)).days) <= 1


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ range 1000000000 }}{{ end }}", "too many steps"),
        ('{{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" . }}', "maximum template depth"),
        ('{{ template "" . }}', "maximum template depth"),
        ('{{ $x := "aaaaaaaa" }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}', "too many steps"),
        ('{{ define "t" }}{{ range 2 }}{{ template "t" . }}{{ end }}{{ end }}{{ template "t" . }}', "depth"),
        ('{{ range 1000 }}{{ $x := printf "%1000000d" 1 }}{{ end }}', "too many steps"),
        ("{{ range 400000 }}" + "a" * 100 + "{{ end }}", "rendered prompt is too long"),
        ("{{ range 400000 }}{{ if eq $.Long $.Same }}{{ end }}{{ end }}", "too many steps"),
        ("{{ range 400000 }}{{ $x := len $.Long }}{{ end }}", "too many steps"),
        ("{{ range 400000 }}{{ $x := slice $.Items 1 }}{{ end }}", "too many steps"),
        ("{{ range 400000 }}{{ range $.Map }}{{ break }}{{ end }}{{ end }}", "too many steps"),
        ("{{ range 400000 }}{{ $x := printf $.Verbs }}{{ end }}", "too many steps"),
        ("{{ range 400000 }}{{ $x := json $.Items }}{{ end }}", "too many steps"),
        ("{{ range 400000 }}{{ $.Items }}{{ end }}", "too many steps"),
        ("{{ $y := 1 }}" + "{{ $x := 1 }}" * 250 + "{{ range 1000000 }}{{ $y }}{{ end }}", "too many steps"),
    ],
    ids=[
        "steps",
        "depth",
        "self",
        "built text",
        "branching calls",
        "width",
        "output",
        "eq",
        "len",
        "slice",
        "sorting",
        "verbs",
        "json",
        "printing",
        "variables",
    ],
)
def test_a_template_that_does_too_much_is_stopped_soon(source: str, problem: str) -> None:
    half = "ab" * 250_000
    data = {
        "Long": half + "a", "Same": half + "b", "Items": [0] * 10_000, "Map": {str(i): 1 for i in range(10_000)},
        "Verbs": "%" * 10_000,
    }  # fmt: skip
    began = time.perf_counter()
    with pytest.raises(TemplateFailed, match=problem):
        rendered(source, data)
    assert time.perf_counter() - began < 10, "generous: it takes less than a second on one core"


@pytest.mark.parametrize(
    "source",
    [
        "{{ printf $.Wide 1 }}",
        '{{ printf "%1000000d" $.Items }}',
        "{{ printf $.Again $.Long }}",
        '{{ printf "x"' + " $.Nested" * 1000 + " }}",
        "{{ print" + " $.Nested" * 1000 + " }}",
        "{{ println" + " $.Nested" * 1000 + " }}",
        "{{ html" + " $.Nested" * 1000 + " }}",
    ],
    ids=["widths", "items", "argument", "extra", "print", "println", "html"],
)
def test_one_call_is_stopped_before_it_has_built_more_text_than_it_may(source: str) -> None:
    long = "ab" * 250_000
    data = {"Wide": "%1000000[1]d" * 300, "Again": "%[1]s" * 300, "Long": long, "Nested": [long], "Items": [1] * 300}
    tracemalloc.start()
    try:
        with pytest.raises(TemplateFailed, match=r"too (many steps|much text)"):
            rendered(source, data)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_a_budget_allows_its_limit_and_not_one_more() -> None:
    assert rendered("abc{{ .Name }}", {"Name": "Ann"}, Budget(output_chars_max=6)) == "abcAnn"
    with pytest.raises(TemplateFailed, match="too long"):
        rendered("abc{{ .Name }}", {"Name": "Ann"}, Budget(output_chars_max=5))
    assert rendered("{{ print .Name }}", {"Name": "Ann"}, Budget(built_chars_max=3)) == "Ann"
    with pytest.raises(TemplateFailed, match="builds too much text"):
        rendered("{{ print .Name }}", {"Name": "Ann"}, Budget(built_chars_max=2))


def test_deep_parentheses_in_deep_calls_do_not_exhaust_the_stack() -> None:
    parentheses = "(" * 40 + ". " + ")" * 40
    source = '{{ define "t" }}{{ print ' + parentheses + ' }}{{ template "t" . }}{{ end }}{{ template "t" 1 }}'
    with pytest.raises(TemplateFailed, match="maximum template depth"):
        rendered(source, {})


def test_leaving_a_range_from_deep_inside_forgets_its_depth() -> None:
    source = "{{ range 300 }}{{ if true }}{{ with . }}{{ continue }}{{ end }}{{ end }}{{ end }}ok"
    assert rendered(source, {}) == "ok"
