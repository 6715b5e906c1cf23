"""The site's .env: what it says stands, the rest is filled in."""

import pytest

from corral.errors import CliError
from corral.site.environment import Wanted, completed, parse, server_names, variables_for


def test_a_new_site_has_the_name_of_this_machine_and_the_usual_ports() -> None:
    assert variables_for({}, Wanted(), "box.example.org") == {
        "CORRAL_SERVER_NAME": "box.example.org",
        "CORRAL_HTTP_PORT": "80",
        "CORRAL_HTTPS_PORT": "443",
        "COMPOSE_PROFILES": "ui,monitoring",
        "CORRAL_PUBLIC_URL": "https://box.example.org",
    }


def test_options_say_what_is_different() -> None:
    wanted = Wanted(server_names=("ai.example.org", "ai"), https_port=8443, profiles=("ui",))
    variables = variables_for({}, wanted, "box")
    assert variables["CORRAL_SERVER_NAME"] == "ai.example.org ai"
    assert variables["CORRAL_PUBLIC_URL"] == "https://ai.example.org:8443"
    assert variables["COMPOSE_PROFILES"] == "ui"


def test_what_env_says_is_kept() -> None:
    said = {"CORRAL_SERVER_NAME": "old.example.org", "CORRAL_HTTPS_PORT": "8443", "CORRAL_PUBLIC_URL": "https://front"}
    variables = variables_for(said, Wanted(), "box")
    assert variables | said == variables


def test_an_option_that_env_contradicts_is_refused() -> None:
    with pytest.raises(CliError, match=r"CORRAL_HTTPS_PORT=8443, not 443"):
        variables_for({"CORRAL_HTTPS_PORT": "8443"}, Wanted(https_port=443), "box")


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(CliError, match="is not a port"):
        variables_for({}, Wanted(http_port=port), "box")


def test_the_last_port_is_one() -> None:
    assert variables_for({}, Wanted(http_port=65535), "box")["CORRAL_HTTP_PORT"] == "65535"


@pytest.mark.parametrize("text", ["", "a_b", "-a", "a..b", "10.1.2.3", "::1", "a;b", "$x", "a/b", "ä.org", "a" * 64])
def test_what_is_not_the_name_of_a_server_is_refused(text: str) -> None:
    with pytest.raises(CliError, match="name"):
        server_names(text)


def test_names_are_told_apart_by_commas_or_spaces_and_count_once() -> None:
    assert server_names("AI.example.org, ai ai.example.org") == ("ai.example.org", "ai")


def test_only_missing_variables_are_added() -> None:
    before = "# ours\nCORRAL_HTTP_PORT=8080"
    after = completed(before, {"CORRAL_HTTP_PORT": "80", "CORRAL_SERVER_NAME": "a b"})
    assert after == '# ours\nCORRAL_HTTP_PORT=8080\nCORRAL_SERVER_NAME="a b"\n'


def test_values_are_read_as_compose_reads_them() -> None:
    text = "# A=1\nexport B=2 # two\nC='x # y'\n D = \"q\"\nnonsense\n"
    assert parse(text) == {"B": "2", "C": "x # y", "D": "q"}
