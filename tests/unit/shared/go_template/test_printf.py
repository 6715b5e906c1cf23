"""Verbs, flags, widths, precisions, and Go's own words for mistakes, as the documentation of Go's `fmt` has them."""

import math

import pytest

from shared.errors import TemplateFailed
from shared.go_template.printf import NUMBER_MAX, sprintf
from shared.go_template.quoting import to_text
from shared.go_template.values import JsonMap, Struct, TypeNames

POINT = Struct("api.Point", {"X": 3, "Y": "four"}, {"x": 3})
ARGUMENTS = JsonMap({"b": 1, "a": "x"})

TABLE: list[tuple[str, list[object], str]] = [
    # plain
    ("%s\n\n%s", ["a", "b"], "a\n\nb"),
    ("%v %v %v %v %v", [1, "a", True, None, 1.5], "1 a true <nil> 1.5"),
    ("100%% %s", ["x"], "100% x"),
    ("%5%|%-5%", [], "%|%"),
    ("%t %t", [True, False], "true false"),
    ("%T %T %T %T", [1, "a", 1.5, None], "int string float64 <nil>"),
    ("%T %T", [[1], {}], "[]interface {} map[string]interface {}"),
    # strings
    ("%5s|%-5s|%05s|%.2s|%5.1s", ["ab", "ab", "ab", "xyz", "xyz"], "   ab|ab   |000ab|xy|    x"),
    ("%.3s|%5s", ["日本語日本語", "日本"], "日本語|   日本"),
    ("%q %+q %#q %#q", ["☺", "☺", "a\tb", "a`b"], '"☺" "\\u263a" `a\tb` "a`b"'),
    ("%.2q %8q %-8q|", ["abc", "a", "a"], '"ab"      "a" "a"     |'),
    ("%x %X % x %#x %# X", ["xyz", "xyz", "xyz", "xyz", "xyz"], "78797a 78797A 78 79 7a 0x78797a 0X78 0X79 0X7A"),
    ("%.1x|%x", ["日", ""], "e6|"),
    ("%x %q", [to_text(b"\xff"), to_text(b"a\xff")], 'ff "a\\xff"'),
    # integers
    ("%d %+d % d %d", [1, 2, 3, -4], "1 +2  3 -4"),
    ("%5d|%-5d|%05d|%+05d|%05d", [42, 42, 42, 42, -42], "   42|42   |00042|+0042|-0042"),
    ("%.3d|%8.3d|%08.3d|%-8.3d|%.0d|%3.0d", [7, 7, 7, -7, 0, 0], "007|     007|     007|-007    ||   "),
    ("%b %o %O %x %X %#b %#o %#x %#X", [5, 8, 8, 255, 255, 5, 8, 255, 255], "101 10 0o10 ff FF 0b101 010 0xff 0XFF"),
    ("%x %#x %o", [-255, -255, -8], "-ff -0xff -10"),
    ("%c %c %3c|%-3c|", [233, 0x65E5, 0x2318, 0x2318], "é 日   ⌘|⌘  |"),
    ("%c %c", [-1, 0x110000], "\ufffd \ufffd"),
    ("%q %q %+q %q", [120, 10, 0xFF, 39], r"'x' '\n' '\u00ff' '\''"),
    ("%U %U %#U %#14.6U", [0, 0x1D6C2, 0x2318, 0x2318], "U+0000 U+1D6C2 U+2318 '⌘'   U+002318 '⌘'"),
    # floats
    ("%f %.1f %.0f", [1.5, 2.25, 2.5], "1.500000 2.2 2"),
    ("%8.2f|%-8.2f|%08.2f", [3.14159, 3.14159, -3.14159], "    3.14|3.14    |-0003.14"),
    ("%e %E %.2e", [1500.0, 1500.0, 0.00012], "1.500000e+03 1.500000E+03 1.20e-04"),
    ("%g %g %g %g %G", [1.0, 0.00001, 2000000.0, 200000.0, 1e-7], "1 1e-05 2e+06 200000 1E-07"),
    ("%.3g %.3g %.3v", [1234.5678, 0.00001234, 2.0 / 3], "1.23e+03 1.23e-05 0.667"),
    ("%v %v %v %v", [1e20, 1e21, 123456789.0, 0.1], "1e+20 1e+21 1.23456789e+08 0.1"),
    ("%+.3f % .3f %+d", [1.0, 1.0, 1], "+1.000  1.000 +1"),
    ("%f %.1f % f", [math.inf, -math.inf, math.inf], "+Inf -Inf  Inf"),
    ("%6f|%06f|%v", [math.inf, math.inf, math.nan], "  +Inf|  +Inf|NaN"),
    # lists, maps, structs: the verb goes to every item
    ("%v %s %d", [["a", "b"], ["a", "b"], [1, 2]], "[a b] [a b] [1 2]"),
    ("%d %s", [["a"], [1, None]], "[%!d(string=a)] [%!s(int=1) <nil>]"),
    ("%q %5d|%x", [["a", "b"], [1, 2], ["a"]], '["a" "b"] [    1     2]|[61]'),
    ("%v %d", [{"b": 2, "a": 1}, {"a": 1}], "map[a:1 b:2] map[%!d(string=a):1]"),
    ("%v %+v %s", [POINT, POINT, POINT], "{3 four} {X:3 Y:four} {%!s(int=3) four}"),
    ("%v %s %q", [ARGUMENTS, ARGUMENTS, TypeNames(["string"])], '{"a":"x","b":1} {"a":"x","b":1} "string"'),
    # Go's syntax
    ("%#v %#v %#v %#v %#v", ["a", 1, 1.5, True, None], '"a" 1 1.5 true <nil>'),
    ("%#v %#v", [["a", None], {"a": 1}], '[]interface {}{"a", interface {}(nil)} map[string]interface {}{"a":1}'),
    ("%#v", [POINT], 'api.Point{X:3, Y:"four"}'),
    # nil
    ("%v|%5v|%s|%d", [None, None, None, None], "<nil>|<nil>|%!s(<nil>)|%!d(<nil>)"),
    # verbs that do not fit
    ("%d %t %s", ["x", 1, 1], "%!d(string=x) %!t(int=1) %!s(int=1)"),
    ("%s %d %y %w", [1.5, True, 1, "x"], "%!s(float64=1.5) %!d(bool=true) %!y(int=1) %!w(string=x)"),
    ("%d %!", [["x"], 1], "[%!d(string=x)] %!!(int=1)"),
    # too few, too many
    ("%s %s", ["a"], "a %!s(MISSING)"),
    ("a", ["x", 1, None], "a%!(EXTRA string=x, int=1, <nil>)"),
    ("%", [], "%!(NOVERB)"),
    ("%-", [], "%!(NOVERB)"),
    # widths and precisions as arguments
    ("%*d|%-*d|%*d", [5, 42, 5, 42, -5, 42], "   42|42   |42   "),
    ("%.*f %8.*f", [2, 1.5, 1, 1.25], "1.50      1.2"),
    ("%*d", ["x", 1], "%!(BADWIDTH)1"),
    ("%.*d", [-1, 1], "%!(BADPREC)1"),
    ("%*d", [10_000_000, 1], "%!(BADWIDTH)1"),
    # arguments by their number
    ("%[2]s %[1]s", ["a", "b"], "b a"),
    ("%[2]*[1]d", [42, 5], "   42"),
    ("%[3]*.[2]*[1]f", [1.5, 2, 6], "  1.50"),
    ("%[1]s %s %[1]s", ["a", "b"], "a b a"),
    ("%[5]d %[0]d %[x]d", [1], "%!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX)"),
    ("%[1", [1], "%!(NOVERB)"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "arguments", "text"), TABLE)
def test_texts_are_formatted_as_in_go(pattern: str, arguments: list[object], text: str) -> None:
    assert sprintf(pattern, arguments) == text


def test_a_width_has_gos_limit() -> None:
    assert len(sprintf(f"%{NUMBER_MAX}d", [1])) == NUMBER_MAX
    assert sprintf(f"%{NUMBER_MAX + 1}d", [1]).startswith("%!(NOVERB)")


def test_a_value_may_not_be_nested_without_end() -> None:
    value: object = 1
    for _ in range(200):
        value = [value]
    for pattern in ("%v", "%d", "%#v"):
        with pytest.raises(TemplateFailed, match="nested too deeply"):
            sprintf(pattern, [value])
