"""`create`: a Modelfile on this machine becomes a model of the cluster; what the server lacks is uploaded."""

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Final

from corral.client import Client, Json
from corral.commands.parsers import Subparsers
from corral.errors import CliError
from corral.format import human_bytes
from corral.modelfile import Modelfile, decode, parse
from corral.terminal import StatusLine

GGUF_MAGIC: Final = b"GGUF"


def add_parsers(commands: Subparsers) -> None:
    creating = commands.add_parser("create", help="make a model from a Modelfile")
    creating.add_argument("model", help="its name")
    creating.add_argument("-f", "--file", type=Path, default=Path("Modelfile"), help="the Modelfile (./Modelfile)")
    creating.set_defaults(run=create_model)


def create_model(arguments: argparse.Namespace, client: Client) -> None:
    try:
        text = decode(arguments.file.read_bytes())
    except OSError as cause:
        raise CliError(f"cannot read {arguments.file}: {cause.strerror}") from cause
    recipe = parse(text)
    for name in recipe.deprecated:
        print(f"Warning: parameter {name} is deprecated and was left out", file=sys.stderr)
    refuse_unsupported(recipe)
    body = create_body(arguments.model, recipe)
    weights = local_weights(recipe.sources[0], arguments.file.parent)
    with StatusLine() as line:
        if weights is None:
            body["from"] = recipe.sources[0]
        else:
            body["files"] = {weights.name: upload(client, weights, line)}
        for event in client.stream("/api/create", body):
            line.show(str(event.get("status", "")))


def refuse_unsupported(recipe: Modelfile) -> None:
    """Raises: CliError naming the first instruction that this server cannot carry out."""
    for instruction, used in (
        ("ADAPTER", recipe.adapter),
        ("DRAFT", recipe.draft),
        ("RENDERER", recipe.renderer),
        ("PARSER", recipe.parser),
        ("a second FROM", len(recipe.sources) > 1),
    ):
        if used:
            raise CliError(f"this version of Corral cannot carry out {instruction} in a Modelfile")


def create_body(model: str, recipe: Modelfile) -> Json:
    """The request, but for where the weights come from; only what the Modelfile says is in it."""
    fields: Json = {
        "template": recipe.template,
        "system": recipe.system,
        "license": list(recipe.licenses),
        "parameters": recipe.parameters,
        "messages": [{"role": role, "content": content} for role, content in recipe.messages],
        "requires": recipe.requires,
    }
    # An empty SYSTEM is a value like any other: the base keeps its own.
    return {"model": model, **{name: value for name, value in fields.items() if value}}


def local_weights(source: str, folder: Path) -> Path | None:
    """The GGUF file a FROM names, relative to the Modelfile's folder; None when it names a model of the server.

    Raises: CliError for a folder, or a file that is no GGUF.
    """
    try:
        path = folder / Path(source).expanduser()
    except RuntimeError:
        return None  # `~someone` without a home
    if path.is_dir():
        raise CliError(f"{source} is a folder; this version of Corral makes models from one GGUF file")
    if not path.is_file():
        return None
    with path.open("rb") as file:
        if file.read(len(GGUF_MAGIC)) != GGUF_MAGIC:
            raise CliError(f"{source} is not a GGUF file")
    return path


def upload(client: Client, path: Path, line: StatusLine) -> str:
    """Make sure the server has the file's bytes; returns their digest."""
    size = path.stat().st_size
    line.show(f"hashing {path.name} ({human_bytes(size)})")
    digest = file_digest(path)
    if not client.has_blob(digest):
        client.upload_blob(digest, path, lambda sent: line.show(f"uploading {path.name}", sent, size))
    return digest


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
