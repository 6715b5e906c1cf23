"""What Go templates print. Expected texts follow the documentation of Go's `text/template`."""

import pytest

from services.worker.chat_template import go_functions
from services.worker.chat_template.budget import Budget
from services.worker.chat_template.go_evaluator import execute
from services.worker.chat_template.go_parser import parse
from services.worker.chat_template.go_values import Struct
from shared.errors import ParameterInvalid

DATA: dict[str, object] = {
    "Name": "Ann",
    "Empty": "",
    "Zero": 0,
    "List": ["a", "b", "c"],
    "Map": {"y": 2, "x": 1},
    "Nested": {"Inner": {"Leaf": "leaf"}},
    "Struct": Struct("Point", {"X": 3, "Y": "four"}, {"x": 3, "y": "four"}),
    "Accent": "né",
    "Html": "<&>",
}


def rendered(source: str, data: object = DATA, budget: Budget | None = None) -> str:
    return execute(parse(source, go_functions.NAMES), data, budget or Budget())


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ .Name }} {{ $.Name }} {{ .Nested.Inner.Leaf }} {{ (.Nested).Inner.Leaf }}", "Ann Ann leaf leaf"),
        ("{{ .Missing }} {{ .Missing.Deeper }} {{ .Nested.Nope }}", "<no value> <no value> <no value>"),
        (
            '{{ "text" }}{{ `raw` }}{{ 12 }}{{ -3 }}{{ 0x1F }}{{ 1.50 }}{{ 1e21 }}{{ true }}',
            "textraw12-3311.51e+21true",
        ),
        ("{{ 'a' }}", "97"),
        ("{{ .List }} {{ .Map }} {{ .Struct }}", "[a b c] map[x:1 y:2] {3 four}"),
        ("{{ .Struct.X }}{{ .Struct.Y }}", "3four"),
    ],
)
def test_values_print_as_in_go(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ if .Name }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ if .Empty }}1{{ else if .Zero }}2{{ else if .Name }}3{{ else }}4{{ end }}", "3"),
        ("{{ if .Missing }}1{{ else }}2{{ end }}{{ if .Struct }}3{{ end }}{{ if not .Map }}4{{ end }}", "23"),
        ("{{ with .Name }}{{ . }}{{ $.Zero }}{{ else }}none{{ end }}", "Ann0"),
        ("{{ with .Empty }}{{ . }}{{ else with .Name }}else {{ . }}{{ end }}", "else Ann"),
        ("{{ with $n := .Name }}{{ $n }}{{ end }}", "Ann"),
        ("{{ if $n := .Name }}{{ $n }}{{ else }}{{ $n }}{{ end }}", "Ann"),
    ],
)
def test_conditions_choose_by_gos_idea_of_truth(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ range .List }}{{ . }},{{ end }}", "a,b,c,"),
        ("{{ range $i, $v := .List }}{{ $i }}{{ $v }}{{ end }}", "0a1b2c"),
        ("{{ range $v := .List }}{{ $v }}{{ . }}{{ end }}", "aabbcc"),
        ("{{ range $k, $v := .Map }}{{ $k }}={{ $v }};{{ end }}", "x=1;y=2;"),
        ("{{ range .Missing }}x{{ else }}empty{{ end }}{{ range .Zero }}x{{ else }}none{{ end }}", "emptynone"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
        ('{{ range .List }}{{ if eq . "b" }}{{ continue }}{{ end }}{{ . }}{{ end }}', "ac"),
        ('{{ range .List }}{{ if eq . "b" }}{{ break }}{{ end }}{{ . }}{{ end }}', "a"),
        ('{{ $last := "" }}{{ range .List }}{{ $last = . }}{{ end }}{{ $last }}', "c"),
        ('{{ $x := "outer" }}{{ range .List }}{{ $x := . }}{{ end }}{{ $x }}', "outer"),
        ("{{ $i := 9 }}{{ $v := 9 }}{{ range $i, $v = .List }}{{ end }}{{ $i }}{{ $v }}", "2c"),
        ("{{ range $i, $v := .List }}{{ if eq (len (slice $.List $i)) 1 }}last {{ $v }}{{ end }}{{ end }}", "last c"),
        ("{{ range .List }}{{ $v := . }}{{ continue }}{{ end }}ok", "ok"),
    ],
)
def test_ranges_rebind_dot_and_scope_their_variables(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('{{ define "t" }}<{{ . }}>{{ end }}{{ template "t" .Name }}{{ template "t" }}', "<Ann><<no value>>"),
        ('{{ define "t" }}{{ $.X }}{{ end }}{{ template "t" .Struct }}', "3"),
        ('{{ block "t" .List }}{{ len . }}{{ end }}{{ template "t" .Name }}', "33"),
        ('{{ define "t" }}full{{ end }}{{ define "t" }} {{ end }}{{ template "t" }}', "full"),
        ('{{ .Name | printf "%s-%s" .Zero | len }}', "14"),
        ('{{ "b" | print "a" }}', "ab"),
        ('{{ or .Empty .Zero "last" }} {{ and .Name .Zero "last" }} {{ .Name | and true }}', "last 0 Ann"),
        ("{{ and .Empty (index .List 99) }}{{ or .Name (index .List 99) }}", "Ann"),
    ],
)
def test_templates_pipelines_and_short_circuits(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('{{ eq .Name "Ann" }}{{ eq .Name "x" "Ann" }}{{ ne 1 2 }}{{ eq .Missing "x" }}', "truetruetruefalse"),
        ('{{ lt 1 2 }}{{ le 2 2 }}{{ gt 1.5 2.5 }}{{ ge "b" "a" }}', "truetruefalsetrue"),
        ("{{ len .List }}{{ len .Map }}{{ len .Accent }}", "323"),
        ('{{ index .List 1 }}{{ index .Map "x" }}{{ index .Map "z" }}{{ index .Name 0 }}', "b1<no value>65"),
        ('{{ index .Nested "Inner" "Leaf" }}{{ index .Name }}', "leafAnn"),
        ("{{ slice .List 1 }}{{ slice .List 1 2 }}{{ slice .Name 1 }}{{ slice .Accent 0 2 }}", "[b c][b]nnn\ufffd"),
        ('{{ print 1 2 "a" "b" 3 }}|{{ println "a" 1 }}', "1 2ab3|a 1\n"),
        ("{{ json .Map }}{{ json .Struct }}{{ json .List }}", '{"x":1,"y":2}{"x":3,"y":"four"}["a","b","c"]'),
        ("{{ json .Html }}{{ json .Missing }}{{ json 1.0 }}", '"\\u003c\\u0026\\u003e"null1'),
        ("{{ toTypeScriptType .Name }}", "any"),
    ],
)
def test_functions_give_what_they_give_in_go(source: str, text: str) -> None:
    assert rendered(source) == text


def test_the_typescript_type_of_a_tools_parameter_lists_its_alternatives() -> None:
    integer = Struct("ToolProperty", {"Type": ["integer", "null"], "AnyOf": []}, {})
    array = Struct("ToolProperty", {"Type": ["array"], "AnyOf": []}, {})
    either = Struct("ToolProperty", {"Type": [], "AnyOf": [integer, array]}, {})
    assert rendered("{{ toTypeScriptType . }}", either) == "number | null | any[]"


def test_yesterday_comes_before_today() -> None:
    assert rendered("{{ lt yesterdayDate currentDate }}{{ len (currentDate 1) }}") == "true10"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ .Struct.Z }}", "can't evaluate field Z in type Point"),
        ("{{ .Name.Z }}", "can't evaluate field Z in type string"),
        ("{{ .Name 1 }}", "no function"),
        ("{{ nil }}", "nil is not a command"),
        ("{{ range .Name }}{{ end }}", "range can't iterate over string"),
        ("{{ eq 1 1.0 }}", "incompatible types for comparison"),
        ("{{ eq .Name 1 }}", "incompatible types for comparison"),
        ("{{ eq .List .List }}", "non-comparable type list"),
        ('{{ lt 1 "a" }}', "invalid type for comparison"),
        ("{{ lt true false }}", "invalid type for comparison"),
        ("{{ index .List 3 }}", "index out of range"),
        ("{{ index .List .Name }}", "cannot index"),
        ("{{ slice .List 2 1 }}", "invalid slice index"),
        ("{{ slice .Name 0 1 2 }}", "3-index"),
        ("{{ len 1 }}", "len of type int"),
        ("{{ len .Missing }}", "len of nil"),
        ("{{ not }}", "wrong number of args for not"),
        ("{{ and }}", "wrong number of args for and"),
        ('{{ template "nope" }}', 'template "nope" not defined'),
        ("one\n\n{{ index .List 3 }}", "line 3"),
    ],
)
def test_what_fails_in_go_stops_the_rendering_with_a_reason(source: str, problem: str) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        rendered(source)
    assert problem in caught.value.message


@pytest.mark.parametrize(
    "source",
    [
        "{{ range 1000000000 }}{{ end }}",
        '{{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" . }}',
        '{{ $x := "aaaaaaaa" }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}',
        '{{ define "t" }}{{ range 2 }}{{ template "t" . }}{{ end }}{{ end }}{{ template "t" . }}',
        '{{ printf "%999999d" 1 }}',
        "{{ range 1000000 }}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{{ end }}",
    ],
    ids=["steps", "depth", "built text", "branching calls", "width", "output"],
)
def test_a_template_that_does_too_much_is_stopped(source: str) -> None:
    with pytest.raises(ParameterInvalid):
        rendered(source)


def test_a_budget_allows_its_limit_and_not_one_more() -> None:
    assert rendered("abc{{ .Name }}", budget=Budget(output_chars_max=6)) == "abcAnn"
    with pytest.raises(ParameterInvalid, match="too long"):
        rendered("abc{{ .Name }}", budget=Budget(output_chars_max=5))
