"""Every fuzz target for a moment; `make fuzz` goes on for as long as one likes."""

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS, Target


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_reader_survives_what_it_did_not_expect(target: Target) -> None:
    @settings(max_examples=200, deadline=2000)
    @given(target.inputs)
    def survives(content: object) -> None:
        target.check(content)

    survives()


def test_a_reader_that_breaks_is_found() -> None:
    def breaks(content: bytes) -> None:
        if b"{[" in content:
            raise IndexError(content)

    target = Target(name="broken", inputs=st.binary(max_size=3) | st.just(b"{["), check=breaks)
    with pytest.raises(IndexError):
        given(target.inputs)(target.check)()
    assert find(target.inputs, lambda content: b"{[" in content) == b"{["
