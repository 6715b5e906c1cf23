"""Laws of the Modelfile parser: it never crashes, and what is written in quotes is read back."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from corral.modelfile import ROLES, Command, ModelfileInvalid, parse, parse_commands

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


@given(LINES)
def test_any_text_is_either_understood_or_refused_by_name(lines: list[str]) -> None:
    with contextlib.suppress(ModelfileInvalid):
        assert parse("\n".join(lines)).sources


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
