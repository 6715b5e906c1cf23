"""Laws of `corral apply`: applying makes true what was planned, and a second time there is nothing to do."""

from hypothesis import given
from hypothesis import strategies as st

from corral.apply.planning import Action, Actual, Wanted, ordered, plan
from corral.apply.record import Record
from corral.errors import CliError
from fakes.wanted_models import wanted

NAMES = ("a", "b", "c", "d", "e")
DIGESTS = st.sampled_from(["sha256:1", "sha256:2"])


@st.composite
def folders(draw: st.DrawFn) -> list[Wanted]:
    """Some models, each made from a file, from a model of the cluster, or from another of the folder."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5))
    return [
        wanted(
            name,
            f"SYSTEM {draw(st.sampled_from(['kind', 'strict']))}",
            base=draw(st.sampled_from(["", "llama3", *NAMES])),
            pin=draw(st.sampled_from(["", "sha256:pin"])),
            file=draw(DIGESTS),
        )
        for name in names
    ]


class Store:
    """A cluster without weights: a model's parts follow from its recipe and its base's parts."""

    def __init__(self, llama3: str) -> None:
        self.models: dict[str, Actual] = {}
        self.parts = {wanted("llama3").name.folded: llama3}

    def plan(self, models: list[Wanted]) -> list[Action]:
        steps = plan(models, self.models, self.parts)
        return [step.action for step in steps]

    def apply(self, models: list[Wanted]) -> None:
        for step in plan(models, self.models, self.parts):
            if step.action is not Action.KEEP:
                self._make(step.wanted)

    def _make(self, model: Wanted) -> None:
        base = (model.base.pin or self.parts.get(model.base.name.folded, "")) if model.base else ""
        parts = f"{model.text}{base}{model.files_digest}"
        record = Record(modelfile=model.text, base=base, files=model.files_digest, parts=parts)
        self.models[model.name.folded] = Actual(parts, record)
        self.parts[model.name.folded] = parts


def in_order(models: list[Wanted]) -> list[Wanted] | None:
    try:
        return ordered(models)
    except CliError:
        return None


@given(folders())
def test_every_model_comes_after_its_base_and_none_is_lost(models: list[Wanted]) -> None:
    result = in_order(models)
    if result is None:
        assert any(model.base and any(model.base.name == other.name for other in models) for model in models)
        return
    assert sorted(model.where for model in result) == sorted(model.where for model in models)
    places = {model.name: place for place, model in enumerate(result)}
    for model in result:
        if model.base is not None and model.base.name in places:
            assert places[model.base.name] < places[model.name]


@given(folders(), folders(), DIGESTS, DIGESTS)
def test_applying_a_second_time_changes_nothing(
    before: list[Wanted], after: list[Wanted], llama3: str, pulled_again: str
) -> None:
    store = Store(llama3)
    for models in map(in_order, (before, after)):
        if models is None:
            continue
        store.apply(models)
        assert set(store.plan(models)) <= {Action.KEEP}
        store.parts[wanted("llama3").name.folded] = pulled_again
        changed = store.plan(models)
        direct = [
            model.base is not None and model.base.name.model == "llama3" and not model.base.pin for model in models
        ]
        if pulled_again != llama3:
            assert all(action is Action.CHANGE for action, is_direct in zip(changed, direct, strict=True) if is_direct)
        else:
            assert set(changed) <= {Action.KEEP}
        store.parts[wanted("llama3").name.folded] = llama3
