"""`pull`, `push`, `transfers`, `cancel`: models come from and go to other registries.

The cluster does the work. A command only watches it: leaving ends the watching, not the transfer.
"""

import argparse
from typing import Final

from corral.client import Client, Json
from corral.commands.parsers import Subparsers
from corral.errors import CliError
from corral.format import human_bytes, table
from corral.model_names import parse_model_name
from corral.terminal import display, show_event

TRANSFERS_HEADER: Final = ("ID", "KIND", "MODEL", "STATUS", "DONE")


def add_parsers(commands: Subparsers) -> None:
    for kind, what in (("pull", "get a model from its registry"), ("push", "send a model to its registry")):
        moving = commands.add_parser(kind, help=what)
        moving.add_argument("model")
        moving.add_argument("--insecure", action="store_true", help="the registry speaks plain HTTP")
        moving.set_defaults(run=pull_model if kind == "pull" else push_model)
    commands.add_parser("transfers", help="list the pulls and pushes under way").set_defaults(run=list_transfers)
    ending = commands.add_parser("cancel", help="end pulls and pushes that are under way")
    ending.add_argument("transfer", help="a model's name, or an ID from 'corral transfers'")
    ending.set_defaults(run=cancel_transfers)


def pull_model(arguments: argparse.Namespace, client: Client) -> None:
    follow(client, "pull", arguments.model, insecure=arguments.insecure)


def push_model(arguments: argparse.Namespace, client: Client) -> None:
    follow(client, "push", arguments.model, insecure=arguments.insecure)


def follow(client: Client, kind: str, model: str, *, insecure: bool) -> None:
    """Start a transfer, or join the one under way, and watch it to its end.

    Raises: KeyboardInterrupt, with what it means for the transfer; ApiError.
    """
    try:
        with display() as shown:
            for event in client.stream(f"/api/{kind}", {"model": model, "insecure": insecure}):
                show_event(shown, event)
    except KeyboardInterrupt as cause:
        raise KeyboardInterrupt(
            f"The {kind} of {model} goes on in the cluster. 'corral {kind} {model}' shows it again, "
            f"'corral cancel {model}' ends it."
        ) from cause


def list_transfers(_arguments: argparse.Namespace, client: Client) -> None:
    print(table([TRANSFERS_HEADER, *(row(transfer) for transfer in transfers(client))]))


def transfers(client: Client) -> list[Json]:
    return list(client.call("GET", "/api/transfers").get("transfers") or ())


def row(transfer: Json) -> tuple[str, ...]:
    total, completed = int(transfer.get("total") or 0), int(transfer.get("completed") or 0)
    done = f"{100 * completed // total} % of {human_bytes(total)}" if total else "-"
    return (str(transfer["id"]), transfer["kind"], transfer["model"], transfer.get("status", ""), done)


def cancel_transfers(arguments: argparse.Namespace, client: Client) -> None:
    """End the transfer with this ID, or all of this model."""
    wanted = [transfer for transfer in transfers(client) if is_meant(transfer, arguments.transfer)]
    if not wanted:
        raise CliError(f"no transfer of '{arguments.transfer}' is under way")
    for transfer in wanted:
        client.call("DELETE", f"/api/transfers/{transfer['id']}")
        print(f"cancelled the {transfer['kind']} of '{transfer['model']}'")


def is_meant(transfer: Json, text: str) -> bool:
    if str(transfer["id"]) == text:
        return True
    try:
        return parse_model_name(str(transfer["model"])).folded == parse_model_name(text).folded
    except CliError:
        return False
