"""`keys`: who may use the cluster."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from corral.client import Client
from corral.commands.parsers import Subparsers
from corral.errors import CliError
from corral.format import parse_time, relative_time, table

KEYS_HEADER = ("ID", "NAME", "ROLE", "CREATED", "SSH KEY")
ROLES = ("user", "admin", "service", "worker")
PUBLIC_KEY_CHARS_MAX = 1024


def add_parsers(commands: Subparsers) -> None:
    keys = commands.add_parser("keys", help="create, list and revoke keys")
    actions = keys.add_subparsers(required=True, metavar="ACTION")
    creating = actions.add_parser("create", help="create a key; it is shown once")
    creating.add_argument("name", help="whom or what it is for")
    creating.add_argument("--role", choices=ROLES, default="user")
    _add_summarize(creating)
    creating.set_defaults(run=create_key)
    adding = actions.add_parser("add-ssh", help="let an Ollama installation in by the key it has")
    adding.add_argument("name", help="whom or what it is for")
    adding.add_argument("file", type=Path, help="its public key, such as ~/.ollama/id_ed25519.pub")
    adding.add_argument("--role", choices=ROLES, default="user")
    _add_summarize(adding)
    adding.set_defaults(run=add_ssh_key)
    actions.add_parser("list", aliases=["ls"], help="list the keys").set_defaults(run=list_keys)
    revoking = actions.add_parser("revoke", help="make a key useless at once")
    revoking.add_argument("id")
    revoking.set_defaults(run=revoke_key)


def _add_summarize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--summarize",
        action="store_true",
        help="when a chat nears the end of its context, replace its older turns by a summary the model writes",
    )


def create_key(arguments: argparse.Namespace, client: Client) -> None:
    """The key alone goes to stdout, so that a script can keep it."""
    reply = client.call("POST", "/api/keys", _wanted(arguments))
    print(reply["key"])


def add_ssh_key(arguments: argparse.Namespace, client: Client) -> None:
    body = {**_wanted(arguments), "ssh_public_key": public_key(arguments.file)}
    reply = client.call("POST", "/api/keys", body)
    print(f"added '{reply['name']}' with the key {reply['fingerprint']}")


def _wanted(arguments: argparse.Namespace) -> dict[str, object]:
    wanted: dict[str, object] = {"name": arguments.name, "role": arguments.role}
    return {**wanted, "summarize": True} if arguments.summarize else wanted


def public_key(path: Path) -> str:
    """The one line of a `.pub` file. Anything else stays on this machine, a private key above all.

    Raises: CliError.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(PUBLIC_KEY_CHARS_MAX + 1).strip()
    except (OSError, UnicodeDecodeError) as cause:
        raise CliError(f"cannot read {path}: {getattr(cause, 'strerror', None) or 'not a text file'}") from cause
    if "PRIVATE KEY" in text:
        raise CliError(f"{path} is the private key; name the public one beside it: {path}.pub")
    if len(text) > PUBLIC_KEY_CHARS_MAX or "\n" in text or not text.startswith("ssh-ed25519 "):
        raise CliError(f"{path} is not an ed25519 public key: one line that begins with 'ssh-ed25519'")
    return text


def list_keys(_arguments: argparse.Namespace, client: Client) -> None:
    now = datetime.now(UTC)
    keys = client.call("GET", "/api/keys")["keys"]
    rows = [
        (key["id"], key["name"], key["role"], created(key["created_at"], now), key.get("fingerprint", ""))
        for key in keys
    ]
    print(table([KEYS_HEADER, *rows]))


def created(moment: str, now: datetime) -> str:
    return relative_time(parse_time(moment), now)


def revoke_key(arguments: argparse.Namespace, client: Client) -> None:
    client.call("DELETE", f"/api/keys/{arguments.id}")
    print(f"revoked '{arguments.id}'")
