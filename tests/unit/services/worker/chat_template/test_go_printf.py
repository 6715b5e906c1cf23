"""Verbs, flags and Go's own words for mistakes. Expected texts follow the documentation of Go's `fmt`."""

import pytest

from services.worker.chat_template.go_printf import sprintf
from shared.errors import ParameterInvalid


@pytest.mark.parametrize(
    ("pattern", "arguments", "text"),
    [
        ("%s\n\n%s", ["a", "b"], "a\n\nb"),
        ("%d %+d % d", [1, 2, 3], "1 +2  3"),
        ("%v %v %v %v", [1, "a", True, None], "1 a true <nil>"),
        ("%5s|%-5s|%05d|%.2s", ["a", "b", 42, "xyz"], "    a|b    |00042|xy"),
        ("%q", ['a"\n\u200b'], r'"a\"\n\u200b"'),
        ("%t %c %x %X %x", [True, 233, 255, 255, "hi"], "true é ff FF 6869"),
        ("%f %.1f %e %g", [1.5, 2.25, 1500.0, 0.00001], "1.500000 2.2 1.500000e+03 1e-05"),
        ("100%% %s", ["x"], "100% x"),
        ("%s", [["a", "b"]], "[a b]"),
        ("%d", ["x"], "%!d(string=x)"),
        ("%s", [1], "%!s(int=1)"),
        ("%s", [None], "%!s(<nil>)"),
        ("%s %s", ["a"], "a %!s(MISSING)"),
        ("a", ["x", 1], "a%!(EXTRA string=x, int=1)"),
        ("%y", [1], "%!y(int=1)"),
        ("%", [], "%!(NOVERB)"),
    ],
)
def test_texts_are_formatted_as_in_go(pattern: str, arguments: list[object], text: str) -> None:
    assert sprintf(pattern, arguments) == text


@pytest.mark.parametrize("pattern", ["%*d", "%[1]d", "%10001d", "%.99999f"])
def test_what_is_not_interpreted_is_refused(pattern: str) -> None:
    with pytest.raises(ParameterInvalid):
        sprintf(pattern, [1, 2])
