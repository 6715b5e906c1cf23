"""`run`: one prompt and its streamed reply, or a conversation (`conversation.py`) on a terminal."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Final

import httpx

from corral.client import Client, Json
from corral.commands import conversation
from corral.commands.attachments import attached
from corral.commands.parsers import Subparsers
from corral.commands.telling import Teller
from corral.commands.transfers import follow
from corral.errors import ApiError, CliError

THINK_LEVELS: Final = ("low", "medium", "high", "max")


def add_parsers(commands: Subparsers) -> None:
    running = commands.add_parser("run", help="ask a model; without a prompt: talk to it")
    running.add_argument("model")
    running.add_argument("prompt", nargs="*", help="appended to what is piped in, if anything is")
    running.add_argument("--format", help="'json' or a JSON schema that the reply must follow")
    running.add_argument(
        "--think",
        nargs="?",
        const="true",
        choices=("true", "false", *THINK_LEVELS),
        help="whether, or how hard, the model thinks first; those that can do so anyway",
    )
    running.add_argument("--hidethinking", action="store_true", help="show the answer only")
    running.add_argument("--keepalive", help="how long the model stays in memory afterwards, such as 10m")
    running.add_argument("--verbose", action="store_true", help="token counts and speeds after the reply")
    running.add_argument("--insecure", action="store_true", help="a registry it is pulled from speaks plain HTTP")
    running.set_defaults(run=run_model)


def run_model(arguments: argparse.Namespace, client: Client) -> None:
    piped = "" if sys.stdin.isatty() else sys.stdin.buffer.read().decode(errors="replace")
    prompt = joined_prompt(piped, arguments.prompt)
    common = request_fields(arguments)
    takes_files = not {"vision", "audio"}.isdisjoint(capabilities(client, arguments.model, insecure=arguments.insecure))
    # What a program reads from standard output is the answer alone.
    thoughts = None if arguments.hidethinking else sys.stdout if sys.stdout.isatty() else sys.stderr
    if sys.stdin.isatty() and sys.stdout.isatty() and not prompt:
        conversation.hold(client, common, takes_files=takes_files, verbose=arguments.verbose, thoughts=thoughts)
    else:
        body = {**common, **prompt_fields(prompt, takes_files=takes_files)}
        ask_once(client, body, verbose=arguments.verbose, teller=Teller(sys.stdout, thoughts))


def prompt_fields(prompt: str, *, takes_files: bool) -> Json:
    text, files = attached(prompt) if takes_files else (prompt, [])
    return {"prompt": text, **({"images": files} if files else {})}


def capabilities(client: Client, model: str, *, insecure: bool) -> Sequence[str]:
    """What the model can do; it is pulled when the cluster does not have it.

    Raises: ApiError; for those who may not pull, the one that says that there is no such model.
    """
    try:
        shown = client.call("POST", "/api/show", {"model": model})
    except ApiError as absent:
        if absent.status != httpx.codes.NOT_FOUND:
            raise
        try:
            follow(client, "pull", model, insecure=insecure)
        except ApiError as refusal:
            if refusal.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                raise absent from refusal
            raise
        shown = client.call("POST", "/api/show", {"model": model})
    return list(shown.get("capabilities") or [])


def joined_prompt(piped: str, words: Sequence[str]) -> str:
    """What was piped in comes first, then the arguments, one blank between them."""
    return " ".join(part for part in (piped, *words) if part)


def request_fields(arguments: argparse.Namespace) -> Json:
    fields: Json = {"model": arguments.model}
    if arguments.format:
        fields["format"] = format_field(arguments.format)
    if arguments.keepalive:
        fields["keep_alive"] = arguments.keepalive
    if arguments.think:
        fields["think"] = arguments.think if arguments.think in THINK_LEVELS else arguments.think == "true"
    return fields


def format_field(text: str) -> object:
    if text == "json":
        return text
    try:
        return json.loads(text)
    except ValueError as cause:
        raise CliError("--format must be 'json' or a JSON schema") from cause


def ask_once(client: Client, body: Json, *, verbose: bool, teller: Teller) -> None:
    final: Json = {}
    for final in client.stream("/api/generate", body):
        teller.tell(final, "response")
    teller.end_thought()
    sys.stdout.write("\n\n")
    if verbose:
        print(conversation.statistics(final), file=sys.stderr)
