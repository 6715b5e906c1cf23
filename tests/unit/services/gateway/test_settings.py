"""Settings whose form is checked when the gateway starts."""

import pytest

from services.gateway.settings import Settings
from shared.settings import SettingsInvalid, load


def loaded(public_urls: str) -> Settings:
    return load(Settings, {"CORRAL_GATEWAY_PUBLIC_URLS": public_urls}, prefix="CORRAL_GATEWAY_")


@pytest.mark.parametrize("text", ["https://corral.example", "https://a.example:8443, http://10.0.0.5:11434"])
def test_public_addresses_are_schemes_with_hosts(text: str) -> None:
    assert loaded(text).public_urls == text


@pytest.mark.parametrize("text", ["corral.example", "ftp://corral.example", "https://corral.example/v2", "https://a b"])
def test_anything_else_stops_the_start(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="public_urls"):
        loaded(text)
