"""A base may be pinned to its manifest's digest, as the listing shows it."""

import pytest

from services.registry.building.pins import BaseReference, check_pin, parse_base
from shared.errors import CorralError, ParameterInvalid
from shared.model_name import parse_model_name

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "name", "pin"),
    [
        ("base", "base", ""),
        ("base:local", "base", ""),
        (f"team/base:7b@sha256:{DIGEST}", "team/base:7b", DIGEST),
        (f"base@sha256-{DIGEST.upper()}", "base", DIGEST),
        (f"base@sha256:{DIGEST[:12]}", "base", DIGEST[:12]),
    ],
)
def test_a_base_is_a_name_with_or_without_a_digest(text: str, name: str, pin: str) -> None:
    assert parse_base(text) == BaseReference(name=parse_model_name(name), pin=pin)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base@", "invalid digest format"),
        ("base@sha256:", "invalid digest format"),
        (f"base@sha256:{DIGEST[:11]}", "invalid digest format"),
        (f"base@sha256:{DIGEST}0", "invalid digest format"),
        (f"base@{DIGEST}", "invalid digest format"),
        (f"base@sha256:{DIGEST}@x", "invalid digest format"),
        (f"@sha256:{DIGEST}", "invalid model name"),
        (f"../b@sha256:{DIGEST}", "invalid model name"),
    ],
)
def test_a_pin_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(CorralError) as refused:
        parse_base(text)
    assert refused.value.message == message


def test_a_model_that_is_not_the_pinned_one_is_refused_with_both_digests() -> None:
    check_pin(parse_base("base"), DIGEST)
    check_pin(parse_base(f"base@sha256:{DIGEST[:20]}"), DIGEST)
    with pytest.raises(ParameterInvalid) as refused:
        check_pin(parse_base("base@sha256:ffffffffffff"), DIGEST)
    assert refused.value.message == f"model 'base:latest' is sha256:{DIGEST}, but sha256:ffffffffffff is asked for"
