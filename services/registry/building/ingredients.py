"""What a new model is made of, decided from the files' headers before anything is made. Pure."""

import msgspec

from services.registry.building.files import (
    Folder,
    Gguf,
    adapter_of,
    check_adapter_fits,
    draft_of,
    model_of,
    projectors_of,
)
from services.registry.building.quantization import needs_quantizing
from services.registry.model_facts import ModelFacts
from shared.errors import ParameterInvalid

Files = tuple[Gguf, ...] | Folder
"""The files of one part; an empty tuple when the request has none."""


class Ingredients(msgspec.Struct, frozen=True, kw_only=True):
    """Parts to make. `model` is None when the weights are those of the model it begins with."""

    model: Gguf | Folder | None = None
    projectors: tuple[Gguf, ...] = ()
    adapter: Gguf | Folder | None = None
    draft: Gguf | Folder | None = None


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """File types that weights shall have; empty leaves them as they are."""

    quantize: str = ""
    draft_quantize: str = ""


def ingredients_of(files: Files, adapters: Files, drafts: Files, *, has_base: bool) -> Ingredients:
    """Which file is which part.

    Raises: ParameterInvalid when one is missing, superfluous or in the wrong place.
    """
    model: Gguf | Folder | None = None
    projectors: tuple[Gguf, ...] = ()
    if isinstance(files, Folder):
        if has_base:
            raise ParameterInvalid("beside a model that exists, only projectors can be added as files")
        model = files
    elif has_base:
        projectors = projectors_of(files)
    else:
        model, projectors = model_of(files)
    return Ingredients(
        model=model,
        projectors=projectors,
        adapter=adapter_of(adapters) if adapters and not isinstance(adapters, Folder) else _folder(adapters),
        draft=draft_of(drafts) if drafts and not isinstance(drafts, Folder) else _folder(drafts),
    )


def _folder(files: Files) -> Folder | None:
    return files if isinstance(files, Folder) else None


def check(ingredients: Ingredients, wishes: Wishes, base_weights: ModelFacts | None, *, has_base: bool) -> None:
    """Find what cannot be done with these parts. What a folder holds is only known when it has been converted.

    Raises: ParameterInvalid, QuantizationUnsupported.
    """
    weights = ingredients.model.facts if isinstance(ingredients.model, Gguf) else base_weights
    if has_base and weights is None and (wishes.quantize or ingredients.adapter):
        raise ParameterInvalid("the model it begins with has no GGUF weights to quantize or adapt")
    if weights is not None:
        needs_quantizing(weights, wishes.quantize)
        if isinstance(ingredients.adapter, Gguf):
            check_adapter_fits(ingredients.adapter.facts, weights)
    if isinstance(ingredients.draft, Gguf):
        needs_quantizing(ingredients.draft.facts, wishes.draft_quantize)
