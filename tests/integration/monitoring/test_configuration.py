"""What Prometheus is given is right in itself, asks only for what is there, and says what to do."""

import re

from integration.monitoring import declared
from integration.monitoring.prometheus import ALERTS, CONFIG, FOLDER, RULES, promtool
from source import ROOT

TESTS = sorted((FOLDER / "tests").glob("*.yaml"))
GUIDE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
ALERT = re.compile(r"^ +- alert: (\w+)$", re.MULTILINE)
RUNBOOK = re.compile(r"^ +runbook: (\S+)#(\S+)$", re.MULTILINE)
ADDED_BY_PROMETHEUS = {"job", "instance"}
FOREIGN = {
    "redis_up",  # redis_exporter's README
    "nginx_up",  # nginx-prometheus-exporter's README
    "probe_success",  # blackbox_exporter, prober/handler.go
    "probe_ssl_earliest_cert_expiry",  # blackbox_exporter, prober/http.go
}
ALERT_NAMES = ALERT.findall(ALERTS.read_text(encoding="utf-8"))
OWN_TEXTS = [path.read_text(encoding="utf-8") for path in (RULES, ALERTS, *TESTS)]


def test_prometheus_can_read_its_configuration() -> None:
    assert "SUCCESS" in promtool("check", "config", CONFIG)


def test_every_rule_can_be_parsed() -> None:
    said = promtool("check", "rules", RULES, ALERTS)
    assert f"{len(ALERT_NAMES)} rules found" in said


def test_alerts_call_somebody_when_they_should_and_only_then() -> None:
    assert len(TESTS) == promtool("test", "rules", *TESTS).count("SUCCESS")


def test_every_alert_is_tried_firing_and_quiet() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in TESTS)

    def tried(alert: str, samples: str) -> bool:
        asked = rf'- expr: ALERTS{{alertname="{alert}", alertstate="firing"}}\n +eval_time: \w+\n +exp_samples:'
        return re.search(asked + samples, texts) is not None

    assert ALERT_NAMES
    assert [name for name in ALERT_NAMES if not (tried(name, r"\n +- labels") and tried(name, r" \[\]\n"))] == []


def test_rules_and_their_tests_name_only_series_that_the_services_show() -> None:
    known = declared.series()
    asked = [one for text in OWN_TEXTS for one in declared.asked_for(text)]
    assert len({name for name, _ in asked}) > 10
    assert [name for name, _ in asked if name not in known] == []
    assert [(name, labels) for name, labels in asked if labels - ADDED_BY_PROMETHEUS - known[name]] == []


def test_series_of_other_programs_are_those_that_are_known() -> None:
    asked = {name for text in OWN_TEXTS for name in re.findall(r"(?<![\w-])(?:redis|nginx|probe)_\w+", text)}
    assert asked == FOREIGN


def test_every_recorded_series_that_is_used_is_recorded() -> None:
    recorded = set(re.findall(r"^ +- record: (\S+)$", OWN_TEXTS[0], re.MULTILINE))
    used = {name for text in (*OWN_TEXTS, GUIDE) for name in re.findall(r"\b[a-z_]+:corral_\w+:\w+", text)}
    assert used
    assert used - recorded == set()


def test_every_alert_says_what_to_do_and_has_its_paragraph() -> None:
    headings = re.findall(r"^### (\w+)\n\n\S", GUIDE, re.MULTILINE)
    runbooks = RUNBOOK.findall(ALERTS.read_text(encoding="utf-8"))
    assert headings == ALERT_NAMES
    assert runbooks == [("docs/monitoring.md", name.lower()) for name in ALERT_NAMES]
    text = ALERTS.read_text(encoding="utf-8")
    for part in ("severity: ", "summary: ", "description: "):
        assert text.count(part) == len(ALERT_NAMES)


def test_every_metric_is_described_with_its_labels() -> None:
    rows = re.findall(r"^\| `(corral_\w+)` \| (.*?) ?\| .+ \|$", GUIDE, re.MULTILINE)
    described = {name: {label for label in labels.split(", ") if label} for name, labels in rows}
    assert len(described) == len(rows)
    assert described == {declared.family(metric): set(metric._labelnames) for metric in declared.metrics()}
