"""Settings from an environment."""

from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from shared.settings import Secret, SettingsInvalid, load


class Example(msgspec.Struct, frozen=True, kw_only=True):
    port: int = 1
    slots: Annotated[int, Meta(ge=1)] = 4
    pinned: bool = False
    key: Secret = msgspec.field(default_factory=Secret)


def loaded(**environ: str) -> Example:
    return load(Example, environ, prefix="CORRAL_EXAMPLE_")


def test_defaults_hold_where_nothing_is_set() -> None:
    assert loaded().slots == 4


def test_a_services_own_variable_comes_before_the_cluster_wide_one() -> None:
    assert loaded(CORRAL_SLOTS="2").slots == 2
    assert loaded(CORRAL_SLOTS="2", CORRAL_EXAMPLE_SLOTS="3").slots == 3


def test_an_address_is_never_cluster_wide() -> None:
    assert loaded(CORRAL_PORT="9").port == 1
    assert loaded(CORRAL_EXAMPLE_PORT="9").port == 9


def test_an_empty_variable_counts_as_unset() -> None:
    assert loaded(CORRAL_EXAMPLE_SLOTS="").slots == 4


def test_words_become_booleans() -> None:
    assert loaded(CORRAL_EXAMPLE_PINNED="true").pinned


@pytest.mark.parametrize("value", ["0", "many", "1.5"])
def test_a_value_out_of_range_or_of_another_type_stops_the_start(value: str) -> None:
    with pytest.raises(SettingsInvalid, match="slots"):
        loaded(CORRAL_EXAMPLE_SLOTS=value)


def test_an_unknown_variable_of_the_service_stops_the_start() -> None:
    with pytest.raises(SettingsInvalid, match=r"CORRAL_EXAMPLE_SLOT$"):
        loaded(CORRAL_EXAMPLE_SLOT="2")


def test_a_secret_comes_from_the_environment_or_a_file_and_hides_itself(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    assert loaded(CORRAL_EXAMPLE_KEY="plain").key.reveal() == "plain"
    from_file = loaded(CORRAL_EXAMPLE_KEY_FILE=str(tmp_path / "key")).key
    assert from_file.reveal() == "from a file"
    assert "file" not in repr(from_file)
    assert not loaded().key
