"""Laws of Modelfiles: the parser never crashes, what is written in quotes is read back, printing undoes parsing."""

import contextlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from corral.modelfile import ModelfileInvalid, parse, print_modelfile
from corral.modelfile.grammar import ROLES, Command, decode, parse_commands
from corral.modelfile.parameters import BOOLS, FLOATS, INTS

LINES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(["FROM x", "# note", 'SYSTEM "', '"""', "PARAMETER stop a", "MESSAGE user hi", ""]),
    ),
    max_size=8,
)
PRINTABLE = st.text(st.characters(categories=("L", "N", "P", "S"), include_characters=" \n\t"), max_size=60)
NO_TRIPLE = PRINTABLE.filter(lambda text: '"""' not in text and not text.endswith('"'))
BARE = st.text(st.characters(categories=("L", "N", "S"), include_characters="#'."), min_size=1, max_size=40)

# Values in every form the grammar has, full of what makes it hard: quotes, blanks and line ends of both kinds.
AWKWARD = st.text(st.sampled_from('ab" \t\n\r#\u200b'), max_size=12)
VALUES = st.one_of(AWKWARD, AWKWARD.map('"{}"'.format), AWKWARD.map('"""{}"""'.format), st.text(max_size=20))
PARAMETERS = st.one_of(
    st.tuples(st.sampled_from(sorted(INTS)), st.integers(-(2**63), 2**63 - 1).map(str)),
    st.tuples(st.sampled_from(sorted(FLOATS)), st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr)),
    st.tuples(st.sampled_from(sorted(BOOLS)), st.sampled_from(["1", "t", "false", "F"])),
    st.tuples(st.just("stop"), VALUES),
)
COMMANDS = st.one_of(
    st.tuples(st.sampled_from(["FROM", "ADAPTER", "DRAFT", "TEMPLATE", "SYSTEM", "LICENSE", "PARSER"]), VALUES),
    st.tuples(st.sampled_from([f"MESSAGE {role}" for role in ROLES]), VALUES),
    PARAMETERS.map(lambda pair: (f"PARAMETER {pair[0]}", pair[1])),
    st.just(("REQUIRES", "v1.2.3-rc.1")),
)
MODELFILES = st.lists(COMMANDS, max_size=6).map(
    lambda pairs: "\n".join(["FROM x", *(" ".join(pair) for pair in pairs)])
)


@given(st.one_of(LINES.map("\n".join), MODELFILES))
def test_any_text_is_either_understood_or_refused_by_name(text: str) -> None:
    with contextlib.suppress(ModelfileInvalid):
        assert parse(text).sources


@given(st.binary(max_size=60))
def test_any_bytes_are_either_understood_or_refused_by_name(content: bytes) -> None:
    with contextlib.suppress(ModelfileInvalid):
        assert parse(decode(content)).sources


@given(MODELFILES)
def test_printing_undoes_parsing(text: str) -> None:
    try:
        recipe = parse(text)
    except ModelfileInvalid:
        return
    printed = print_modelfile(recipe)
    assert parse(printed) == replace(recipe, deprecated=())
    assert print_modelfile(parse(printed)) == printed


@given(NO_TRIPLE)
def test_text_in_triple_quotes_is_read_back_unchanged(text: str) -> None:
    # A line of the text that ends in three quotes would close the block; such texts are left out above.
    assert list(parse_commands(f'SYSTEM """{text}"""')) == [Command("system", text)]


@given(BARE, st.sampled_from(ROLES))
def test_bare_values_are_read_back_and_comments_change_nothing(text: str, role: str) -> None:
    commands = list(parse_commands(f"# {text}\nMESSAGE {role}  {text}\t\n# end"))
    assert commands == [Command("message", text, role)]


@given(st.lists(BARE, min_size=1, max_size=5), st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
def test_any_line_ending_separates_commands(values: list[str], ending: str) -> None:
    text = ending.join(f"LICENSE {value}" for value in values)
    assert [command.value for command in parse_commands(text)] == values
