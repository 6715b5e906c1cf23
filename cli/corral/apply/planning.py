"""What there is to do: the models that a folder wants, compared with those the cluster has. Pure."""

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from corral.apply.record import Record, recorded_text
from corral.building import Digests, Ingredients
from corral.errors import CliError
from corral.model_names import ModelName
from corral.modelfile import Modelfile


@dataclass(frozen=True)
class Base:
    """The model of the cluster that another is made from; a pin says which of its versions."""

    name: ModelName
    pin: str = ""


@dataclass(frozen=True)
class Wanted:
    """A model as its Modelfile describes it; `text` is the canonical Modelfile."""

    name: ModelName
    where: str
    recipe: Modelfile
    text: str
    base: Base | None
    ingredients: Ingredients
    digests: Digests

    @property
    def files_digest(self) -> str:
        """The same exactly when the local files have the same names and contents."""
        text = json.dumps({field: dict(files) for field, files in self.digests.items()}, sort_keys=True)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Actual:
    """A model as the cluster has it.

    `record` is what was applied, `described` the Modelfile the cluster gives for a model without a record.
    """

    parts: str
    record: Record | None
    described: str = ""


class Action(Enum):
    CREATE = "create"
    CHANGE = "change"
    KEEP = "unchanged"


@dataclass(frozen=True)
class Step:
    """What happens to one model, why, and how its Modelfile differs."""

    wanted: Wanted
    action: Action
    reasons: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()


def ordered(wanted: Iterable[Wanted]) -> list[Wanted]:
    """Every model after the one it is made from, otherwise in the given order.

    Raises: CliError when models are made from each other.
    """
    waiting = {one.name.folded: one for one in wanted}
    result: list[Wanted] = []
    while waiting:
        ready = [one for one in waiting.values() if one.base is None or one.base.name.folded not in waiting]
        if not ready:
            raise CliError(f"made from each other: {', '.join(one.where for one in waiting.values())}")
        for one in ready:
            del waiting[one.name.folded]
        result += ready
    return result


def plan(wanted: Iterable[Wanted], actual: Mapping[str, Actual], bases: Mapping[str, str]) -> list[Step]:
    """One step for each model. `wanted` is ordered; `actual` and `bases` are keyed by folded names.

    `bases` are the parts of the models that others are made from. A base the cluster no longer has is no reason to
    make a model again: nothing says that it changed.
    """
    steps: list[Step] = []
    remade: set[str] = set()
    for one in wanted:
        step = _step(one, actual.get(one.name.folded), bases, remade)
        if step.action is not Action.KEEP:
            remade.add(one.name.folded)
        steps.append(step)
    return steps


def _step(wanted: Wanted, present: Actual | None, bases: Mapping[str, str], remade: set[str]) -> Step:
    if present is None:
        return Step(wanted, Action.CREATE)
    if present.record is None:
        reason = "the model there was not made by 'corral apply'"
        return Step(wanted, Action.CHANGE, (reason,), difference(present.described, wanted))
    reasons = tuple(_reasons(wanted, present, present.record, bases, remade))
    if not reasons:
        return Step(wanted, Action.KEEP)
    return Step(wanted, Action.CHANGE, reasons, difference(present.record.modelfile, wanted))


def _reasons(
    wanted: Wanted, present: Actual, record: Record, bases: Mapping[str, str], remade: set[str]
) -> Iterator[str]:
    if record.modelfile != recorded_text(wanted.text):
        yield "its Modelfile has changed"
    if record.files != wanted.files_digest:
        yield "its files have changed"
    if wanted.base is not None:
        base = wanted.base.name
        now = wanted.base.pin or bases.get(base.folded, record.base)
        if not wanted.base.pin and base.folded in remade:
            yield f"{base.short}, which it is made from, changes too"
        elif now != record.base:
            yield f"{base.short}, which it is made from, has changed"
    if record.parts != present.parts:
        yield "the model was changed since it was applied"


def difference(before: str, wanted: Wanted) -> tuple[str, ...]:
    """How the Modelfile differs, as a unified diff."""
    lines = difflib.unified_diff(
        before.splitlines(), wanted.text.splitlines(), f"{wanted.name.short} (now)", wanted.where, lineterm=""
    )
    return tuple(lines)
