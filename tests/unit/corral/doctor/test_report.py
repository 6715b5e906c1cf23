"""How findings are told."""

import json

from corral.doctor import report
from corral.doctor.findings import ok, problem, skipped, warning

FINDINGS = {
    "TLS certificate": ok("valid 89 more days"),
    "Redis": problem("gone", "Bring it back: " + "docker compose up -d redis; " * 8),
    "GPU": warning("slow", "Build it."),
    "Streaming": skipped("no model"),
}


def test_each_check_has_a_line_and_below_it_what_to_do() -> None:
    told = list(report.lines(FINDINGS))
    assert told[:2] == ["ok       TLS certificate  valid 89 more days", "problem  Redis            gone"]
    assert told[2].startswith("           Bring it back: docker compose up -d redis;")
    assert all(len(line) <= report.WIDTH for line in told)
    assert "warning  GPU              slow" in told
    assert "skipped  Streaming        no model" in told
    assert told[-1] == "1 problem, 1 warning, 1 ok, 1 skipped"


def test_only_a_problem_is_a_failure() -> None:
    assert report.exit_code(FINDINGS) == 1
    assert report.exit_code({name: one for name, one in FINDINGS.items() if name != "Redis"}) == 0


def test_the_same_as_json() -> None:
    told = json.loads(report.document("http://here", FINDINGS))
    assert told["cluster"] == "http://here"
    assert told["findings"][0] == {"check": "TLS certificate", "level": "ok", "what": "valid 89 more days"}
    assert [one["level"] for one in told["findings"]] == ["ok", "problem", "warning", "skipped"]
    assert told["findings"][2]["todo"] == "Build it."
