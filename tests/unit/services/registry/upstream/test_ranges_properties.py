"""Laws of ranges."""

from hypothesis import given
from hypothesis import strategies as st

from services.registry.upstream.ranges import check_part, uploaded_bytes
from shared.errors import UpstreamFailed

offsets = st.integers(0, 50)


@given(offsets, st.integers(1, 20), offsets, st.integers(1, 20), st.sampled_from([200, 206]))
def test_an_answer_is_accepted_exactly_when_its_bytes_are_those_asked_for(
    start: int, length: int, sent_start: int, sent_length: int, status: int
) -> None:
    whole = {"Content-Length": str(sent_length)}
    part = {**whole, "Content-Range": f"bytes {sent_start}-{sent_start + sent_length - 1}/100"}
    sent = (sent_start, sent_length) if status == 206 else (0, sent_length)
    try:
        check_part(status, part if status == 206 else whole, start, start + length)
        is_accepted = True
    except UpstreamFailed:
        is_accepted = False
    assert is_accepted == (sent == (start, length))


@given(st.integers(2, 1 << 50))
def test_what_an_upload_has_is_read_back(count: int) -> None:
    assert uploaded_bytes(f"0-{count - 1}") == count
