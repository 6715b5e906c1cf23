"""A Modelfile of this machine becomes a model of the cluster: gather files, hash, upload what is missing, create."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from corral.client import Client, Json
from corral.errors import CliError
from corral.model_files import Files, files_of, named, required_files_of
from corral.modelfile import Modelfile
from corral.terminal import Display, show_event

HASH_CHUNK_BYTES: Final = 1 << 20

Digests = Mapping[str, Mapping[str, str]]
"""For each field of the request that holds files: their names and digests."""


@dataclass(frozen=True)
class Ingredients:
    """What a model is made from: a model of the server (empty for none), and files by the request's field."""

    base: str
    files: Mapping[str, Files]


def ingredients_of(recipe: Modelfile, folder: Path) -> Ingredients:
    """A FROM that is a path here means files, any other a model of the server.

    Raises: CliError.
    """
    base = ""
    weights: list[Path] = []
    for source in recipe.sources:
        found = files_of(source, folder)
        if found is None:
            base = source
        else:
            weights += found
    adapter = required_files_of("ADAPTER", recipe.adapter, folder) if recipe.adapter else []
    drafts = [file for draft in recipe.drafts for file in required_files_of("DRAFT", draft, folder)]
    for draft in drafts:
        if any(draft.samefile(file) for file in weights):
            raise CliError(f"DRAFT must not reference the same local path as FROM: {draft}")
    fields = {"files": named(weights), "adapters": named(adapter), "draft_files": named(drafts)}
    return Ingredients(base, {field: files for field, files in fields.items() if files})


def digests_of(ingredients: Ingredients, shown: Display) -> Digests:
    """Hash every file."""
    return {
        field: {name: file_digest(path, shown) for name, path in files.items()}
        for field, files in ingredients.files.items()
    }


def file_digest(path: Path, shown: Display) -> str:
    size, done, hashed = path.stat().st_size, 0, hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK_BYTES):
            hashed.update(chunk)
            done += len(chunk)
            shown.bar(f"hashing {path.name}", done, size)
    return f"sha256:{hashed.hexdigest()}"


def create_body(model: str, recipe: Modelfile, base: str, digests: Digests) -> Json:
    """The request; only what the Modelfile says is in it."""
    fields: Json = {
        "from": base,
        **{field: dict(files) for field, files in digests.items()},
        "template": recipe.template,
        "system": recipe.system,
        "license": list(recipe.licenses),
        "parameters": recipe.parameters,
        "messages": [{"role": role, "content": content} for role, content in recipe.messages],
        "renderer": recipe.renderer,
        "parser": recipe.parser,
        "requires": recipe.requires,
    }
    # An empty SYSTEM is a value like any other: the base keeps its own.
    return {"model": model, **{name: value for name, value in fields.items() if value}}


def upload_missing(client: Client, ingredients: Ingredients, digests: Digests, shown: Display) -> None:
    """Make sure the server has the bytes of every file."""
    for field, files in ingredients.files.items():
        for name, path in files.items():
            digest = digests[field][name]
            if not client.has_blob(digest):
                _upload(client, digest, path, shown)


def _upload(client: Client, digest: str, path: Path, shown: Display) -> None:
    size = path.stat().st_size
    client.upload_blob(digest, path, lambda sent: shown.bar(f"uploading {path.name}", sent, size))


def build(client: Client, body: Json, ingredients: Ingredients, digests: Digests, shown: Display) -> None:
    """Upload and create, showing each step.

    Raises: ApiError; the model is then as it was before.
    """
    upload_missing(client, ingredients, digests, shown)
    for event in client.stream("/api/create", body):
        show_event(shown, event)
