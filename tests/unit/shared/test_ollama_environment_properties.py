"""Laws of adopting: no text of Ollama's variables breaks a start by itself, and ours always win."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ollama_environment import ROWS, adopt, seconds

SERVICES = ("gateway", "registry", "worker")
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
ENVIRONS = st.dictionaries(st.sampled_from([row.variable for row in ROWS]), TEXTS | st.integers().map(str))


@given(ENVIRONS, st.sampled_from(SERVICES))
def test_any_text_is_read_or_told_of(environ: dict[str, str], service: str) -> None:
    adoption = adopt(environ, service)
    assert {one.variable for one in adoption.adopted} | {*adoption.unreadable} <= environ.keys()
    assert environ.items() <= adoption.environ.items()
    assert all(one.setting.startswith(f"CORRAL_{service.upper()}_") for one in adoption.adopted)


@given(ENVIRONS, st.sampled_from(SERVICES))
def test_adopting_twice_adopts_nothing_more(environ: dict[str, str], service: str) -> None:
    once = adopt(environ, service)
    again = adopt(once.environ, service)
    assert (again.adopted, again.environ) == ((), once.environ)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_is_the_sum_of_its_terms(hours: int, minutes: int, rest_s: int) -> None:
    text = f"{hours}h{minutes}m{rest_s}s"
    total_s = hours * 3600 + minutes * 60 + rest_s
    assert seconds(text) == pytest.approx(total_s)
    assert seconds("-" + text) == pytest.approx(-total_s)
