"""Laws of reading challenges."""

from hypothesis import given
from hypothesis import strategies as st

from services.registry.upstream.challenge import BearerChallenge, parse_challenges

values = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)
scopes = st.lists(st.from_regex(r"[a-z0-9:/,_.*-]{1,20}", fullmatch=True), max_size=3)


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(values, values, scopes, st.permutations(["realm", "service", "scope"]))
def test_what_was_quoted_is_read_in_any_order(realm: str, service: str, wanted: list[str], order: list[str]) -> None:
    parts = {"realm": realm, "service": service, "scope": " ".join(wanted)}
    header = "Bearer " + ", ".join(f"{name}={quoted(parts[name])}" for name in order)
    assert parse_challenges([header]) == BearerChallenge(realm=realm, service=service, scopes=tuple(wanted))


@given(st.lists(st.text(max_size=200), max_size=3))
def test_no_header_is_too_strange_to_be_read(headers: list[str]) -> None:
    parse_challenges(headers)
