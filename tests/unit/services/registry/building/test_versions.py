"""Required versions are checked against the one this server presents, in the order of semver."""

import pytest

from services.registry.building.versions import precedence, required_version
from shared.errors import ParameterInvalid
from shared.version import OLLAMA_VERSION

ASCENDING = [
    "0.9.0", "0.14.0-alpha", "0.14.0-alpha.1", "0.14.0-alpha.beta", "0.14.0-beta", "0.14.0-beta.2", "0.14.0-beta.11",
    "0.14.0-rc.1", "0.14.0", "0.14.1", "1.0.0",
]  # fmt: skip


def test_versions_are_in_the_order_of_semver() -> None:
    assert sorted(frozenset(ASCENDING), key=precedence) == ASCENDING
    assert precedence("1.0.0+build.1") == precedence("1.0.0+build.2")


def test_missing_parts_of_a_version_count_as_zero() -> None:
    assert precedence("1") == precedence("1.0") == precedence("1.0.0")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("", ""), ("v0.14.0", "0.14.0"), ("0.14", "0.14"), ("v0", "0"), ("0.1.2-a.0+b.01", "0.1.2-a.0+b.01"),
        ("0.14.0-rc1", "0.14.0-rc1"), (OLLAMA_VERSION, OLLAMA_VERSION),
    ],
)  # fmt: skip
def test_a_version_this_server_has_is_stored_without_its_v(text: str, version: str) -> None:
    assert required_version(text) == version


@pytest.mark.parametrize(
    "text",
    ["soon", "1.", "0.14-rc1", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3\n", "0." + "9" * 300 + ".0", "٠.1.2"],
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        required_version(text)
    assert refused.value.message == "requires must be a valid semver (e.g. 0.14.0)"


def test_a_later_version_is_refused_with_both() -> None:
    with pytest.raises(ParameterInvalid) as refused:
        required_version("99.0.0")
    assert "99.0.0" in refused.value.message
    assert OLLAMA_VERSION in refused.value.message
