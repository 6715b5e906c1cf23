"""Wanted models to plan with."""

from corral.apply.planning import Base, Wanted
from corral.building import Ingredients
from corral.model_names import parse_model_name
from corral.modelfile import parse, print_modelfile


def wanted(name: str, *lines: str, base: str = "", pin: str = "", file: str = "") -> Wanted:
    """A model made from a base of the cluster, or from a local file with the digest `file`."""
    recipe = parse("\n".join([f"FROM {base or './w.gguf'}", *lines]))
    return Wanted(
        name=parse_model_name(name),
        where=f"Modelfile.{name}",
        recipe=recipe,
        text=print_modelfile(recipe),
        base=Base(parse_model_name(base), pin) if base else None,
        ingredients=Ingredients(base, {}),
        digests={"files": {"w.gguf": file}} if file else {},
    )
