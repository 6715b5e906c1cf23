"""Every failure has a status and a code of this protocol."""

import pytest

from services.registry.distribution.dialect import Code, refusal_of
from shared import errors
from shared.errors import CorralError


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.ModelNameInvalid(), 400, Code.NAME_INVALID),
        (errors.ModelUnknown("m"), 404, Code.MANIFEST_UNKNOWN),
        (errors.BlobUnknown("b"), 404, Code.BLOB_UNKNOWN),
        (errors.DigestInvalid(), 400, Code.DIGEST_INVALID),
        (errors.DigestMismatch(wanted="a", got="b"), 400, Code.DIGEST_INVALID),
        (errors.ModelFileInvalid("m"), 400, Code.MANIFEST_INVALID),
        (errors.TooLarge("t"), 413, Code.SIZE_INVALID),
        (errors.StoreFull(needed_bytes=2, free_bytes=1), 403, Code.DENIED),
        (errors.UpstreamFailed("u"), 502, Code.UNKNOWN),
        (errors.UpstreamRefused("u"), 502, Code.UNKNOWN),
        (errors.DeadlineExceeded("d"), 504, Code.UNKNOWN),
        (errors.Unavailable("u", retry_after_s=3), 503, Code.UNKNOWN),
        (errors.InternalError("i"), 500, Code.UNKNOWN),
    ],
)
def test_an_error_is_told_in_this_protocols_words(error: CorralError, status: int, code: Code) -> None:
    refusal = refusal_of(error)
    assert (refusal.status, refusal.code, refusal.message) == (status, code, error.message)


def test_an_error_keeps_its_facts_and_when_to_come_back() -> None:
    assert refusal_of(errors.StoreFull(needed_bytes=2, free_bytes=1)).detail == {"needed_bytes": 2, "free_bytes": 1}
    assert dict(refusal_of(errors.Unavailable("u", retry_after_s=3)).headers) == {"Retry-After": "3"}
