"""What the parser refuses, with the line; what it accepts is tested by executing it (`test_go_evaluator.py`)."""

import pytest

from services.worker.chat_template import go_ast, go_functions
from services.worker.chat_template.go_parser import NESTING_MAX, parse
from shared.errors import ParameterInvalid


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ unknown .X }}", 'function "unknown" not defined'),
        ("{{ $x }}", 'undefined variable "$x"'),
        ("{{ $x = 1 }}", 'undefined variable "$x"'),
        ("{{ if .A }}{{ $x := 1 }}{{ end }}{{ $x }}", 'undefined variable "$x"'),
        ('{{ $x := 1 }}{{ define "t" }}{{ $x }}{{ end }}', 'undefined variable "$x"'),
        ("{{ if .A }}", "{{if}} has no {{end}}"),
        ("{{ if .A }}{{ else }}", "{{if}} has no {{end}}"),
        ("{{ range .A }}{{ else if .B }}{{ end }}", "after else"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ else }}", "unexpected {{else}}"),
        ("{{ break }}", "{{break}} outside {{range}}"),
        ('{{ range .A }}{{ define "t" }}{{ end }}{{ end }}', "unexpected {{define}}"),
        ('{{ block "t" . }}{{ continue }}{{ end }}', "{{continue}} outside {{range}}"),
        ("{{ }}", "missing value"),
        ("{{ if }}{{ end }}", "missing value"),
        ("{{ .A | }}", "missing value"),
        ("{{ .A | 1 }}", "a value cannot receive a pipeline"),
        ("{{ (.A }}", "unexpected '}}'"),
        ("{{ .A) }}", "unexpected ')'"),
        ("{{ $a, $b := .A }}", "undefined variable"),
        ('{{ "a""b" }}', "in operand"),
        ("{{ 1.A }}", "unexpected .A"),
        ("{{ 99999999999999999999 }}", "integer overflow"),
        ("{{ 'ab' }}", "malformed character constant"),
        ("{{ template .A }}", "unexpected 'A'"),
        ("one\n\n{{ end }}", "line 3"),
        ("{{ if .A }}" * (NESTING_MAX + 1), "nested too deeply"),
        ("{{ " + "(" * (NESTING_MAX + 1) + "}}", "nested too deeply"),
    ],
)
def test_a_template_go_would_not_parse_is_refused_with_a_reason(source: str, problem: str) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        parse(source, go_functions.NAMES)
    assert problem in caught.value.message


def test_the_names_of_all_fields_are_known_wherever_they_stand() -> None:
    source = (
        '{{ define "t" }}{{ .A }}{{ end }}{{ range $.B }}{{ else }}{{ (index .C 0).D.E }}{{ end }}'
        '{{ if eq .F "g" }}{{ template "t" .H }}{{ end }}{{ with $x := .I }}{{ $x.J }}{{ end }}'
    )
    assert go_ast.field_names(parse(source, go_functions.NAMES)) == set("ABCDEFHIJ")
