"""`create`: a Modelfile on this machine becomes a model of the cluster."""

import argparse
import sys
from pathlib import Path
from typing import Final

from corral.building import build, create_body, digests_of, ingredients_of
from corral.client import Client
from corral.commands.parsers import Subparsers
from corral.errors import CliError
from corral.modelfile import Modelfile, decode, parse
from corral.terminal import display

DEFAULT_FILE: Final = Path("Modelfile")
THIS_FOLDER: Final = "FROM .\n"
"""Stands for the Modelfile where there is none: a folder of weights is a model as it is."""


def add_parsers(commands: Subparsers) -> None:
    creating = commands.add_parser("create", help="make a model from a Modelfile, or from the weights in this folder")
    creating.add_argument("model", help="its name")
    creating.add_argument("-f", "--file", type=Path, help="the Modelfile (./Modelfile)")
    creating.add_argument("-q", "--quantize", metavar="TYPE", help="quantize to this type, such as Q4_K_M or Q8_0")
    creating.set_defaults(run=create_model)


def create_model(arguments: argparse.Namespace, client: Client) -> None:
    file: Path = arguments.file or DEFAULT_FILE
    recipe = parse(modelfile_text(file, may_be_absent=arguments.file is None))
    warn_of_deprecated(recipe)
    ingredients = ingredients_of(recipe, file.parent)
    with display() as shown:
        digests = digests_of(ingredients, shown)
        body = create_body(arguments.model, recipe, ingredients.base, digests)
        if arguments.quantize:
            body["quantize"] = arguments.quantize
        build(client, body, ingredients, digests, shown)


def modelfile_text(file: Path, *, may_be_absent: bool) -> str:
    """Raises: CliError."""
    try:
        return decode(file.read_bytes())
    except OSError as cause:
        if may_be_absent and isinstance(cause, FileNotFoundError):
            return THIS_FOLDER
        raise CliError(f"cannot read {file}: {cause.strerror}") from cause


def warn_of_deprecated(recipe: Modelfile) -> None:
    for name in recipe.deprecated:
        print(f"Warning: parameter {name} is deprecated and was left out", file=sys.stderr)
