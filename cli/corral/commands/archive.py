"""`export` and `import`: models as one tar file, for clusters without a way out."""

import argparse
from pathlib import Path
from typing import Final

from corral.archive.exporting import export_models
from corral.archive.importing import import_model, plan_import
from corral.archive.reading import read_contents
from corral.client import Client
from corral.commands.parsers import Subparsers
from corral.errors import CliError
from corral.model_names import parse_model_name
from corral.registry import Registry
from corral.terminal import display

SUFFIX: Final = ".tar"


def add_parsers(commands: Subparsers) -> None:
    exporting = commands.add_parser("export", help="write models to a tar file")
    exporting.add_argument("models", nargs="+", metavar="MODEL")
    exporting.add_argument("file", type=Path, metavar="FILE.tar", help="replaced when it is there")
    exporting.set_defaults(run=export)
    importing = commands.add_parser("import", help="bring in the models of a tar file")
    importing.add_argument("file", type=Path, metavar="FILE.tar")
    importing.set_defaults(run=import_)


def export(arguments: argparse.Namespace, client: Client) -> None:
    if arguments.file.suffix != SUFFIX:
        raise CliError(f"the last argument is the file to write and ends in {SUFFIX}, unlike '{arguments.file}'")
    names = list(dict.fromkeys(parse_model_name(text) for text in arguments.models))
    with display() as shown:
        export_models(Registry(client), names, arguments.file, shown)
    for name in names:
        print(f"exported '{name.short}'")


def import_(arguments: argparse.Namespace, client: Client) -> None:
    contents, registry = read_contents(arguments.file), Registry(client)
    for wanted in plan_import(contents, registry):
        with display() as shown:
            import_model(wanted, contents, registry, shown)
        print(f"imported '{wanted.name.short}'", flush=True)
