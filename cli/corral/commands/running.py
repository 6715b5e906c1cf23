"""`ps` and `stop`: the models in memory."""

import argparse
from datetime import UTC, datetime

from corral.client import Client, Json
from corral.commands.parsers import Subparsers
from corral.errors import ApiError, CliError
from corral.format import human_bytes, parse_time, processor, table, until

PS_HEADER = ("NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL")


def add_parsers(commands: Subparsers) -> None:
    listing = commands.add_parser("ps", help="list the models in memory")
    listing.add_argument("prefix", nargs="?", default="", help="only names that start with this")
    listing.set_defaults(run=list_running)
    stopping = commands.add_parser("stop", help="take a model out of memory")
    stopping.add_argument("model")
    stopping.set_defaults(run=stop_model)


def row(model: Json, now: datetime) -> tuple[str, ...]:
    size, size_vram = int(model["size"]), int(model.get("size_vram", 0))
    return (
        model["name"],
        model["digest"][:12],
        human_bytes(size),
        processor(size, size_vram),
        str(model.get("context_length", "")),
        until(parse_time(model.get("expires_at", "")), now),
    )


def list_running(arguments: argparse.Namespace, client: Client) -> None:
    models = client.call("GET", "/api/ps")["models"]
    now = datetime.now(UTC)
    wanted = [model for model in models if model["name"].lower().startswith(arguments.prefix.lower())]
    print(table([PS_HEADER, *(row(model, now) for model in wanted)]))


def stop_model(arguments: argparse.Namespace, client: Client) -> None:
    model = arguments.model
    try:
        client.call("POST", "/api/generate", {"model": model, "prompt": "", "keep_alive": 0, "stream": False})
    except ApiError as refusal:
        if refusal.status == 404:
            raise CliError(f'couldn\'t find model "{model}" to stop') from refusal
        raise
