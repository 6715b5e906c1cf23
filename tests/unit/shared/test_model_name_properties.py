"""Laws of names."""

from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ModelNameInvalid
from shared.model_name import parse_model_name

TEXTS = st.text(max_size=60) | st.text(alphabet="aB0._-/:@\\~", max_size=40)


@given(TEXTS)
def test_a_text_is_a_name_that_prints_and_parses_alike_or_no_name_at_all(text: str) -> None:
    try:
        name = parse_model_name(text)
    except ModelNameInvalid:
        return
    assert parse_model_name(name.full) == name
    assert parse_model_name(name.short) == name


@given(TEXTS)
def test_no_name_leads_out_of_a_folder(text: str) -> None:
    try:
        name = parse_model_name(text)
    except ModelNameInvalid:
        return
    for part in (name.host, name.namespace, name.model, name.tag):
        assert part not in {"", ".", ".."}
        assert PurePosixPath(part).name == part
