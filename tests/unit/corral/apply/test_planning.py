"""What `corral apply` decides to do."""

from dataclasses import replace

import pytest

from corral.apply.planning import Action, Actual, Wanted, ordered, plan
from corral.apply.record import Record
from corral.errors import CliError
from fakes.wanted_models import wanted

PARTS, BASE_PARTS = "sha256:parts", "sha256:base"


def applied(model: Wanted) -> Actual:
    """The model as it is after it was applied."""
    base = (model.base.pin or BASE_PARTS) if model.base else ""
    return Actual(PARTS, Record(modelfile=model.text, base=base, files=model.files_digest, parts=PARTS))


def outcome(
    model: Wanted, present: Actual | None, bases: dict[str, str] | None = None
) -> tuple[Action, tuple[str, ...]]:
    actual = {} if present is None else {model.name.folded: present}
    known = {model.base.name.folded: BASE_PARTS} if model.base and bases is None else bases or {}
    (step,) = plan([model], actual, known)
    return step.action, step.reasons


BOT = wanted("bot", "SYSTEM kind", base="llama3")
OWN = wanted("own", file="sha256:1")


@pytest.mark.parametrize("model", [BOT, OWN])
def test_a_model_that_is_absent_is_created(model: Wanted) -> None:
    assert outcome(model, None) == (Action.CREATE, ())


@pytest.mark.parametrize("model", [BOT, OWN, wanted("bot", base="llama3", pin="sha256:pin")])
def test_a_model_that_was_applied_stays_as_it_is(model: Wanted) -> None:
    assert outcome(model, applied(model)) == (Action.KEEP, ())


def test_a_changed_modelfile_is_shown_line_by_line() -> None:
    now = wanted("bot", "SYSTEM strict", base="llama3")
    (step,) = plan([now], {now.name.folded: applied(BOT)}, {now.base.name.folded: BASE_PARTS} if now.base else {})
    assert (step.action, step.reasons) == (Action.CHANGE, ("its Modelfile has changed",))
    assert step.diff == (
        "--- bot:latest (now)",
        "+++ Modelfile.bot",
        "@@ -1,2 +1,2 @@",
        " FROM llama3",
        "-SYSTEM kind",
        "+SYSTEM strict",
    )


def test_a_base_that_was_pulled_again_is_a_change() -> None:
    assert BOT.base is not None
    action, reasons = outcome(BOT, applied(BOT), {BOT.base.name.folded: "sha256:newer"})
    assert (action, reasons) == (Action.CHANGE, ("llama3:latest, which it is made from, has changed",))


def test_a_base_that_is_gone_is_no_change() -> None:
    assert outcome(BOT, applied(BOT), {}) == (Action.KEEP, ())


def test_a_pinned_base_changes_only_with_the_pin() -> None:
    pinned = wanted("bot", base="llama3", pin="sha256:pin")
    assert pinned.base is not None
    assert outcome(pinned, applied(pinned), {pinned.base.name.folded: "sha256:newer"})[0] is Action.KEEP
    moved = replace(pinned, base=replace(pinned.base, pin="sha256:other"))
    assert outcome(moved, applied(pinned))[0] is Action.CHANGE


def test_changed_local_files_are_a_change() -> None:
    assert outcome(wanted("own", file="sha256:2"), applied(OWN)) == (Action.CHANGE, ("its files have changed",))


def test_a_model_that_somebody_changed_is_put_right() -> None:
    present = replace(applied(OWN), parts="sha256:tampered")
    assert outcome(OWN, present) == (Action.CHANGE, ("the model was changed since it was applied",))


def test_a_model_of_other_origin_is_compared_with_what_the_cluster_says_of_it() -> None:
    present = Actual(PARTS, None, "FROM bot:latest\nSYSTEM kind\n")
    (step,) = plan([BOT], {BOT.name.folded: present}, {})
    assert (step.action, step.reasons) == (Action.CHANGE, ("the model there was not made by 'corral apply'",))
    assert step.diff[3:] == ("-FROM bot:latest", "+FROM llama3", " SYSTEM kind")


def test_what_is_made_from_a_changing_model_changes_too() -> None:
    base, derived, pinned = (
        wanted("base", file="1"),
        wanted("bot", base="Base"),
        wanted("x", base="base", pin="sha256:p"),
    )
    actual = {model.name.folded: applied(model) for model in (derived, pinned)}
    steps = plan([base, derived, pinned], actual, {})
    assert [step.action for step in steps] == [Action.CREATE, Action.CHANGE, Action.KEEP]
    assert steps[1].reasons == ("Base:latest, which it is made from, changes too",)


def test_models_are_made_after_those_they_are_made_from() -> None:
    chain = [wanted("c", base="b"), wanted("b", base="a"), wanted("a", base="llama3"), wanted("z")]
    assert [model.name.model for model in ordered(chain)] == ["a", "z", "b", "c"]


@pytest.mark.parametrize("models", [[wanted("a", base="a")], [wanted("a", base="b"), wanted("b", base="a")]])
def test_models_made_from_each_other_are_refused(models: list[Wanted]) -> None:
    with pytest.raises(CliError, match=r"made from each other: Modelfile\.a"):
        ordered(models)
