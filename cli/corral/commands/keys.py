"""`keys`: who may use the cluster."""

import argparse
from datetime import UTC, datetime

from corral.client import Client
from corral.commands.parsers import Subparsers
from corral.format import parse_time, relative_time, table

KEYS_HEADER = ("ID", "NAME", "ROLE", "CREATED")
ROLES = ("user", "admin", "service")


def add_parsers(commands: Subparsers) -> None:
    keys = commands.add_parser("keys", help="create, list and revoke API keys")
    actions = keys.add_subparsers(required=True, metavar="ACTION")
    creating = actions.add_parser("create", help="create a key; it is shown once")
    creating.add_argument("name", help="whom or what it is for")
    creating.add_argument("--role", choices=ROLES, default="user")
    creating.set_defaults(run=create_key)
    actions.add_parser("list", aliases=["ls"], help="list the keys").set_defaults(run=list_keys)
    revoking = actions.add_parser("revoke", help="make a key useless at once")
    revoking.add_argument("id")
    revoking.set_defaults(run=revoke_key)


def create_key(arguments: argparse.Namespace, client: Client) -> None:
    """The key alone goes to stdout, so that a script can keep it."""
    reply = client.call("POST", "/api/keys", {"name": arguments.name, "role": arguments.role})
    print(reply["key"])


def list_keys(_arguments: argparse.Namespace, client: Client) -> None:
    now = datetime.now(UTC)
    keys = client.call("GET", "/api/keys")["keys"]
    rows = [(key["id"], key["name"], key["role"], created(key["created_at"], now)) for key in keys]
    print(table([KEYS_HEADER, *rows]))


def created(moment: str, now: datetime) -> str:
    return relative_time(parse_time(moment), now)


def revoke_key(arguments: argparse.Namespace, client: Client) -> None:
    client.call("DELETE", f"/api/keys/{arguments.id}")
    print(f"revoked '{arguments.id}'")
