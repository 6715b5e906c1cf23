"""Which secrets are made, and that those which repeat each other do."""

import hashlib
import json

import pytest

from corral.errors import CliError
from corral.site.secret_files import SECRET_FILES, missing, redis_password

NAMES = {file.name for file in SECRET_FILES}


def variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_a_new_site_gets_every_secret() -> None:
    assert missing({}, "corral.example.org").keys() == NAMES


def test_a_complete_site_gets_none() -> None:
    assert missing(missing({}, "corral.example.org"), "corral.example.org") == {}


@pytest.mark.parametrize("name", ["admin_key", "grafana_admin_password", "redis_users.acl", "open-webui.env"])
def test_only_what_is_missing_is_made(name: str) -> None:
    existing = missing({}, "corral.example.org")
    del existing[name]
    assert missing(existing, "corral.example.org").keys() == {name}


def test_no_two_sites_share_a_secret() -> None:
    one, other = missing({}, "a"), missing({}, "a")
    assert [name for name in NAMES if one[name] == other[name]] == []


def test_redis_and_its_exporter_know_the_password_of_the_address() -> None:
    made = missing({}, "a")
    password = redis_password(made)
    assert made["redis_users.acl"].split()[3] == "#" + hashlib.sha256(password.encode()).hexdigest()
    assert json.loads(made["redis_exporter.json"]) == {"redis://redis:6379": password}


def test_the_password_of_an_address_that_is_there_is_used_again() -> None:
    made = missing({"redis_url": "redis://:p%40ss@redis:6379/0\n"}, "a")
    assert json.loads(made["redis_exporter.json"]) == {"redis://redis:6379": "p@ss"}


@pytest.mark.parametrize("url", ["redis://redis:6379/0", "", "redis://[x"])
def test_an_address_without_a_password_is_refused(url: str) -> None:
    with pytest.raises(CliError, match="redis_url"):
        missing({"redis_url": url}, "a")


def test_open_webui_gets_the_key_and_the_secret_of_the_gateway() -> None:
    made = missing({}, "corral.example.org")
    environment = variables(made["open-webui.env"])
    connection = json.loads(environment["OLLAMA_API_CONFIGS"])["0"]
    assert connection == {"enable": True, "key": made["webui_key"].strip()}
    assert environment["FORWARD_USER_INFO_HEADER_JWT_SECRET"] == made["forwarded_user_secret"].strip()
    assert environment["WEBUI_ADMIN_EMAIL"] == "admin@corral.example.org"


def test_the_first_account_has_an_address_even_where_the_server_has_no_domain() -> None:
    assert variables(missing({}, "box")["open-webui.env"])["WEBUI_ADMIN_EMAIL"] == "admin@localhost"


@pytest.mark.parametrize("name", ["redis_url", "webui_key", "forwarded_user_secret"])
def test_a_copy_of_a_secret_that_is_gone_is_not_passed_over(name: str) -> None:
    existing = missing({}, "a")
    del existing[name]
    with pytest.raises(CliError, match=f"secrets/{name}, which is gone"):
        missing(existing, "a")
