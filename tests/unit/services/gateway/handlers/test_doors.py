"""What each route asks of its caller."""

import pytest

from services.gateway.access import Need
from services.gateway.handlers.doors import need_of


@pytest.mark.parametrize(
    ("method", "route", "need"),
    [
        ("HEAD", "/", Need.NOTHING),
        ("POST", "/", Need.KEY),
        ("GET", "/v2/token", Need.NOTHING),
        ("POST", "/v2/token", Need.NOTHING),
        ("GET", "/v2/{tail}", Need.REGISTRY),
        ("DELETE", "/v2/{tail}", Need.REGISTRY),
        ("POST", "/api/chat", Need.KEY),
        ("POST", "/api/pull", Need.ADMIN),
        ("POST", "/api/push", Need.ADMIN),
        ("GET", "/api/transfers", Need.KEY),
        ("DELETE", "/api/transfers/{id}", Need.ADMIN),
        ("GET", "/api/backup/keys", Need.ADMIN),
        ("POST", "/api/restore/keys", Need.ADMIN),
        ("GET", "/api/smoke", Need.ADMIN),
        ("GET", None, Need.KEY),
    ],
)
def test_reading_needs_a_key_and_managing_the_role_admin(method: str, route: str | None, need: Need) -> None:
    assert need_of(method, route) is need
