"""The verdicts about the way in."""

import dataclasses

import pytest

from corral.doctor.checks import door
from corral.doctor.facts import Attempt, Door, Facts, Place, Plain, Tls
from corral.doctor.findings import Level

HTTPS = Place(scheme="https", host="corral.example", port=443, on_loopback=False, http_port=80)
REMOTE_HTTP = Place(scheme="http", host="10.0.0.7", port=11434, on_loopback=False)
LOCAL = Place(scheme="http", host="127.0.0.1", port=11434, on_loopback=True)
NOW_S = 1_700_000_000.0
GOOD = Tls(verify_code=0, expires_unix_s=NOW_S + 89.5 * 86_400, protocol="TLSv1.3", old_is_refused=True)
HSTS = dict.fromkeys(("strict-transport-security", "x-content-type-options", "x-frame-options"), "set")
REFUSED = Attempt(method="GET", path="/api/tags", key="no key", status=403)
HIDDEN = Attempt(method="GET", path="/metrics", key="no key", status=404)
DOOR = Door(
    headers=HSTS, attempts=(REFUSED,), internal=(HIDDEN,), plain=Plain(port=80, status=308, location="https://x/api/")
)


def expiring(days: float) -> Tls:
    return dataclasses.replace(GOOD, expires_unix_s=NOW_S + days * 86_400)


@pytest.mark.parametrize(
    ("days", "level", "what"),
    [
        (89.5, Level.OK, "valid 89 more days"),
        (21, Level.OK, "valid 21 more days"),
        (20.9, Level.WARNING, "valid 20 more days"),
        (1, Level.WARNING, "valid 1 more day"),
    ],
)
def test_a_certificate_is_renewed_three_weeks_before_its_end(days: float, level: Level, what: str) -> None:
    found = door.certificate(expiring(days), HTTPS, now_unix_s=NOW_S)
    assert (found.level, found.what) == (level, what)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (10, "it has expired"),
        (9, "it is not valid yet"),
        (18, "it is signed by itself: clients refuse it"),
        (20, "it is signed by an authority that this machine does not know: clients refuse it"),
        (62, "it is for a.example, b.example, not for corral.example"),
        (23, "it is not trusted: certificate revoked"),
    ],
)
def test_why_a_certificate_is_not_trusted_is_said_plainly(code: int, what: str) -> None:
    bad = Tls(verify_code=code, verify_message="certificate revoked", names=("a.example", "b.example"))
    found = door.certificate(bad, HTTPS, now_unix_s=NOW_S)
    assert (found.level, found.what) == (Level.PROBLEM, what)
    assert "nginx -s reload" in found.todo


@pytest.mark.parametrize(("refused", "level"), [(True, Level.OK), (None, Level.OK), (False, Level.PROBLEM)])
def test_old_tls_must_be_refused_where_that_can_be_tried(refused: bool | None, level: Level) -> None:
    found = door.protocols(dataclasses.replace(GOOD, old_is_refused=refused))
    assert found.level is level
    assert ("was not tried" in found.what) is (refused is None)


@pytest.mark.parametrize(
    ("plain", "level"),
    [
        (Plain(port=80, status=308, location="https://corral.example/api/version"), Level.OK),
        (Plain(port=80, status=0), Level.OK),
        (Plain(port=80, status=200), Level.PROBLEM),
        (Plain(port=80, status=302, location="http://corral.example/"), Level.PROBLEM),
    ],
)
def test_plain_http_leads_to_https_or_nowhere(plain: Plain, level: Level) -> None:
    assert door.redirect(plain).level is level


def test_missing_headers_are_named() -> None:
    assert door.headers(DOOR).level is Level.OK
    found = door.headers(dataclasses.replace(DOOR, headers={"x-frame-options": "DENY"}))
    assert (found.level, found.what) == (Level.WARNING, "missing: strict-transport-security, x-content-type-options")


@pytest.mark.parametrize(
    ("status", "place", "level"),
    [
        (401, HTTPS, Level.OK),
        (403, HTTPS, Level.OK),
        (200, HTTPS, Level.PROBLEM),
        (400, HTTPS, Level.PROBLEM),  # somebody read the body
        (200, LOCAL, Level.WARNING),
        (200, REMOTE_HTTP, Level.PROBLEM),
        (502, HTTPS, Level.WARNING),
        (429, HTTPS, Level.WARNING),
    ],
)
def test_strangers_are_refused(status: int, place: Place, level: Level) -> None:
    attempt = Attempt(method="POST", path="/api/chat", key="a wrong key", status=status)
    found = door.keys((REFUSED, attempt), place)
    assert found.level is level
    assert ("POST /api/chat with a wrong key" in found.what) is (level is not Level.OK)


def test_only_the_first_of_many_open_routes_are_listed() -> None:
    attempts = [Attempt(method="GET", path=f"/{number}", key="no key", status=200) for number in range(5)]
    what = door.keys((REFUSED, *attempts), HTTPS).what
    assert door.keys(attempts, HTTPS).what == "nobody is asked for one"
    assert what == "let in GET /0 with no key (200), GET /1 with no key (200), GET /2 with no key (200) and 2 more"


@pytest.mark.parametrize(
    ("status", "is_page", "level"),
    [(404, False, Level.OK), (403, False, Level.OK), (200, True, Level.OK), (200, False, Level.PROBLEM)],
)
def test_internal_routes_are_not_for_the_outside(status: int, is_page: bool, level: Level) -> None:
    attempt = Attempt(method="GET", path="/metrics", key="no key", status=status, is_page=is_page)
    assert door.internal_routes((attempt,)).level is level


def levels(facts: Facts) -> dict[str, Level]:
    return {name: finding.level for name, finding in door.findings(facts).items()}


def test_a_local_cluster_is_not_asked_for_tls() -> None:
    facts = Facts(place=LOCAL, now_unix_s=NOW_S, own_version="1", door=dataclasses.replace(DOOR, internal=()))
    skipped = ("TLS certificate", "TLS protocol", "HTTP to HTTPS", "Headers", "Internal routes")
    assert levels(facts) == {**dict.fromkeys(skipped, Level.SKIPPED), "Keys": Level.OK}


def test_plain_http_over_a_network_is_a_problem() -> None:
    facts = Facts(place=REMOTE_HTTP, now_unix_s=NOW_S, own_version="1", door=DOOR)
    assert levels(facts)["TLS certificate"] is Level.PROBLEM


def test_where_the_certificate_is_not_trusted_the_rest_is_not_tried() -> None:
    facts = Facts(place=HTTPS, now_unix_s=NOW_S, own_version="1", tls=Tls(verify_code=18, old_is_refused=True))
    assert levels(facts) == {
        "TLS certificate": Level.PROBLEM,
        "TLS protocol": Level.OK,
        **dict.fromkeys(("HTTP to HTTPS", "Headers", "Keys", "Internal routes"), Level.SKIPPED),
    }


def test_a_redirect_is_looked_for_only_where_the_port_of_plain_http_is_known() -> None:
    facts = Facts(place=HTTPS, now_unix_s=NOW_S, own_version="1", tls=GOOD, door=dataclasses.replace(DOOR, plain=None))
    found = door.findings(facts)["HTTP to HTTPS"]
    assert found.level is Level.SKIPPED
    assert "--http-port" in found.what
