"""`corral apply` with effects: what the folder wants and what the cluster has are gathered, steps are carried out."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from corral.apply.discovery import Found, Problem, discover
from corral.apply.planning import Actual, Base, Step, Wanted
from corral.apply.record import Record, read_record, recorded_text, with_record
from corral.building import build, create_body, digests_of, ingredients_of
from corral.client import Client
from corral.errors import ApiError, CliError
from corral.manifests import Manifest, parse_manifest
from corral.model_names import ModelName, parse_model_name
from corral.modelfile import ModelfileInvalid, decode, parse, print_modelfile
from corral.registry import Registry
from corral.terminal import Display


def wanted_models(folder: Path, shown: Display) -> tuple[list[Wanted], list[Problem]]:
    """Read every Modelfile and hash every file it names.

    Raises: CliError when there is nothing to read.
    """
    found, problems = discover(folder)
    wanted: list[Wanted] = []
    for one in found:
        try:
            wanted.append(_wanted(one, shown))
        except CliError as error:
            problems.append(Problem(one.where, str(error)))
        except OSError as error:
            problems.append(Problem(one.where, f"cannot read {error.filename}: {error.strerror}"))
    return wanted, problems


def _wanted(found: Found, shown: Display) -> Wanted:
    recipe = parse(decode(found.path.read_bytes()))
    ingredients = ingredients_of(recipe, found.path.parent)
    return Wanted(
        name=found.name,
        where=found.where,
        recipe=recipe,
        text=print_modelfile(recipe),
        base=parse_base(ingredients.base) if ingredients.base else None,
        ingredients=ingredients,
        digests=digests_of(ingredients, shown),
    )


def parse_base(text: str) -> Base:
    """A model's name, with or without `@sha256:…`, read as the server reads it: a scheme in front says nothing, and
    the suffix `:local`, Ollama's word for "here", is no tag.

    Raises: CliError.
    """
    name, _, pin = text.partition("@")
    return Base(parse_model_name(name.removesuffix(":local").split("://", 1)[-1]), pin)


class Applying:
    """One cluster that a folder is applied to."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._registry = Registry(client)

    def actual(self, wanted: Iterable[Wanted]) -> dict[str, Actual]:
        """The wanted models that are there, by folded name."""
        here = self._names()
        found = ((one.name, self._manifest(one.name)) for one in wanted if one.name.folded in here)
        return {name.folded: self._described(name, manifest) for name, manifest in found if manifest is not None}

    def bases(self, wanted: Iterable[Wanted]) -> Mapping[str, str]:
        """The parts of the models that the wanted ones are made from, by folded name, as far as they are there."""
        here = self._names()
        names = {one.base.name.folded: one.base.name for one in wanted if one.base and not one.base.pin}
        found = {folded: self._manifest(name) for folded, name in names.items() if folded in here}
        return {folded: manifest.parts_digest for folded, manifest in found.items() if manifest is not None}

    def carry_out(self, step: Step, shown: Display) -> None:
        """Make the model and write into it what it was made from.

        Raises: CliError. When it breaks off in between, the model is made again next time.
        """
        wanted = step.wanted
        body = create_body(wanted.name.short, wanted.recipe, wanted.ingredients.base, wanted.digests)
        # A base that changes while the model is made counts as changed, hence the look at it before.
        base = self._base_parts(wanted)
        build(self._client, body, wanted.ingredients, wanted.digests, shown)
        manifest = self._manifest(wanted.name)
        if manifest is None:
            raise CliError(f"{wanted.name.short} was made and is gone again")
        record = Record(
            modelfile=recorded_text(wanted.text),
            base=base or self._base_parts(wanted),
            files=wanted.files_digest,
            parts=manifest.parts_digest,
        )
        self._registry.put_manifest(wanted.name, with_record(manifest, record))

    def _base_parts(self, wanted: Wanted) -> str:
        if wanted.base is None or wanted.base.pin:
            return wanted.base.pin if wanted.base else ""
        return self.bases([wanted]).get(wanted.base.name.folded, "")

    def _names(self) -> set[str]:
        """The models that are here. Asking for the manifest of another could make a mirroring registry fetch it."""
        models = self._client.call("GET", "/api/tags").get("models") or ()
        return {parse_model_name(str(model["name"])).folded for model in models}

    def _manifest(self, name: ModelName) -> Manifest | None:
        content = self._registry.manifest(name)
        return None if content is None else parse_manifest(content)

    def _described(self, name: ModelName, manifest: Manifest) -> Actual:
        record = read_record(manifest)
        return Actual(manifest.parts_digest, record, "" if record else self._own_modelfile(name))

    def _own_modelfile(self, name: ModelName) -> str:
        """The cluster's description of a model; empty when it has none."""
        try:
            text = str(self._client.call("POST", "/api/show", {"model": name.short}).get("modelfile", ""))
            return print_modelfile(parse(text))
        except (ApiError, ModelfileInvalid):
            return ""
