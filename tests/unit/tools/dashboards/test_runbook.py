"""What a panel says of the alert that watches the same."""

import pytest

from tools.dashboards.runbook import runbook


def test_a_runbook_is_the_section_of_its_alert_alone() -> None:
    text = runbook("CorralQueueWaits")
    assert text.startswith("**CorralQueueWaits** calls somebody: A generation has waited")
    assert "\n3. " in text
    assert "#" not in text


def test_the_last_section_ends_with_its_last_step() -> None:
    assert runbook("CorralServiceMissing").endswith(".")


def test_links_within_the_guide_are_left_out() -> None:
    assert "](" not in runbook("CorralSmokeFails")


def test_an_alert_without_a_section_is_an_error() -> None:
    with pytest.raises(LookupError):
        runbook("CorralUnheardOf")
