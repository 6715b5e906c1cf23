"""`list`, `cp`, `rm`: the models of the cluster. What is in memory is in `running.py`."""

import argparse
from datetime import UTC, datetime

from corral.client import Client, Json
from corral.commands.parsers import Subparsers
from corral.format import human_bytes, parse_time, relative_time, table

LIST_HEADER = ("NAME", "ID", "SIZE", "MODIFIED")


def add_parsers(commands: Subparsers) -> None:
    listing = commands.add_parser("list", aliases=["ls"], help="list the models of the cluster")
    listing.add_argument("prefix", nargs="?", default="", help="only names that start with this")
    listing.set_defaults(run=list_models)
    copying = commands.add_parser("cp", help="give a model a second name")
    copying.add_argument("source")
    copying.add_argument("destination")
    copying.set_defaults(run=copy_model)
    removing = commands.add_parser("rm", help="remove models")
    removing.add_argument("models", nargs="+", metavar="MODEL")
    removing.set_defaults(run=remove_models)


def row(model: Json, now: datetime) -> tuple[str, ...]:
    modified = parse_time(model.get("modified_at", ""))
    size = human_bytes(int(model["size"]))
    return (model["name"], model["digest"][:12], size, relative_time(modified, now))


def list_models(arguments: argparse.Namespace, client: Client) -> None:
    models = client.call("GET", "/api/tags")["models"]
    now = datetime.now(UTC)
    wanted = [model for model in models if model["name"].lower().startswith(arguments.prefix.lower())]
    print(table([LIST_HEADER, *(row(model, now) for model in wanted)]))


def copy_model(arguments: argparse.Namespace, client: Client) -> None:
    client.call("POST", "/api/copy", {"source": arguments.source, "destination": arguments.destination})
    print(f"copied '{arguments.source}' to '{arguments.destination}'")


def remove_models(arguments: argparse.Namespace, client: Client) -> None:
    """The cluster takes a removed model out of memory, unless another one has the same weights."""
    for model in arguments.models:
        client.call("DELETE", "/api/delete", {"model": model})
        print(f"deleted '{model}'")
