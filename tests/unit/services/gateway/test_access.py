"""The rules over keys, roles and settings."""

import pytest

from services.gateway.access import LOCAL_ADMIN, Need, Principal, refusal, start_problem, token_from
from services.gateway.key_store import Role
from shared.errors import Forbidden, Unauthenticated

USER = Principal(tenant="key_1", user="key_1", name="ann", role=Role.USER)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, None),
        ({"Authorization": "Bearer abc"}, "abc"),
        ({"Authorization": "bearer  abc "}, "abc"),
        ({"Authorization": "Basic abc"}, None),
        ({"Authorization": "Bearer "}, None),
        ({"x-api-key": "abc"}, "abc"),
        ({"Authorization": "Basic abc", "x-api-key": "def"}, "def"),
        ({"Authorization": "Bearer abc", "x-api-key": "def"}, "abc"),
    ],
)
def test_the_key_is_a_bearer_token_or_anthropics_header(headers: dict[str, str], token: str | None) -> None:
    assert token_from(headers) == token


@pytest.mark.parametrize("need", [Need.KEY, Need.ADMIN])
def test_a_missing_key_is_403_for_the_command_line_and_401_for_sdks(need: Need) -> None:
    assert isinstance(refusal(None, need, is_native_api=True), Forbidden)
    assert isinstance(refusal(None, need, is_native_api=False), Unauthenticated)


def test_open_routes_ask_nothing() -> None:
    assert refusal(None, Need.NOTHING, is_native_api=True) is None


def test_managing_is_for_admins() -> None:
    assert isinstance(refusal(USER, Need.ADMIN, is_native_api=True), Forbidden)
    assert refusal(LOCAL_ADMIN, Need.ADMIN, is_native_api=True) is None
    assert refusal(USER, Need.KEY, is_native_api=True) is None


@pytest.mark.parametrize(
    ("host", "require_keys", "admin_key_is_set", "keys_count", "starts"),
    [
        ("127.0.0.1", False, False, 0, True),
        ("::1", False, False, 0, True),
        ("localhost", False, False, 0, True),
        ("0.0.0.0", False, True, 5, False),
        ("gateway.example", False, True, 5, False),
        ("0.0.0.0", True, False, 0, False),
        ("127.0.0.1", True, False, 0, False),
        ("0.0.0.0", True, True, 0, True),
        ("0.0.0.0", True, False, 1, True),
    ],
)
def test_an_open_or_keyless_gateway_must_not_start(
    host: str, require_keys: bool, admin_key_is_set: bool, keys_count: int, starts: bool
) -> None:
    problem = start_problem(
        host=host, require_keys=require_keys, admin_key_is_set=admin_key_is_set, keys_count=keys_count
    )
    assert (problem is None) is starts
