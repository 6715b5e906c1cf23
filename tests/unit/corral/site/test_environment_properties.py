"""Laws of the .env: it says what was wanted, and a second run changes nothing."""

from hypothesis import given
from hypothesis import strategies as st

from corral.site.environment import Wanted, completed, parse, variables_for

NAMES = st.lists(
    st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True), min_size=1, unique=True
)
PORTS = st.none() | st.integers(1, 65535)
WANTED = st.builds(
    Wanted,
    server_names=st.none() | NAMES.map(tuple),
    http_port=PORTS,
    https_port=PORTS,
    profiles=st.none() | st.sampled_from([(), ("ui",), ("monitoring",)]),
)


@given(WANTED, st.text(max_size=40))
def test_a_second_run_with_the_same_options_changes_nothing(wanted: Wanted, before: str) -> None:
    before = "".join(f"# {line}\n" for line in before.splitlines())
    variables = variables_for(parse(before), wanted, "box.example.org")
    text = completed(before, variables)
    assert text.startswith(before)
    assert parse(text) == variables
    again = variables_for(parse(text), wanted, "another")
    assert completed(text, again) == text
