"""`run`: one prompt and its streamed reply, or a conversation (`conversation.py`) on a terminal."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TextIO

import httpx

from corral.client import Client, Json
from corral.commands import conversation
from corral.commands.parsers import Subparsers
from corral.commands.transfers import follow
from corral.errors import ApiError, CliError


def add_parsers(commands: Subparsers) -> None:
    running = commands.add_parser("run", help="ask a model; without a prompt: talk to it")
    running.add_argument("model")
    running.add_argument("prompt", nargs="*", help="appended to what is piped in, if anything is")
    running.add_argument("--format", help="'json' or a JSON schema that the reply must follow")
    running.add_argument("--keepalive", help="how long the model stays in memory afterwards, such as 10m")
    running.add_argument("--verbose", action="store_true", help="token counts and speeds after the reply")
    running.add_argument("--insecure", action="store_true", help="a registry it is pulled from speaks plain HTTP")
    running.set_defaults(run=run_model)


def run_model(arguments: argparse.Namespace, client: Client) -> None:
    piped = "" if sys.stdin.isatty() else sys.stdin.buffer.read().decode(errors="replace")
    prompt = joined_prompt(piped, arguments.prompt)
    common = request_fields(arguments)
    require_model(client, arguments.model, insecure=arguments.insecure)
    if sys.stdin.isatty() and sys.stdout.isatty() and not prompt:
        conversation.hold(client, common, verbose=arguments.verbose)
    else:
        ask_once(client, {**common, "prompt": prompt}, verbose=arguments.verbose, out=sys.stdout)


def require_model(client: Client, model: str, *, insecure: bool) -> None:
    """Pull the model when the cluster does not have it.

    Raises: ApiError; for those who may not pull, the one that says that there is no such model.
    """
    try:
        client.call("POST", "/api/show", {"model": model})
    except ApiError as absent:
        if absent.status != httpx.codes.NOT_FOUND:
            raise
        try:
            follow(client, "pull", model, insecure=insecure)
        except ApiError as refusal:
            if refusal.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                raise absent from refusal
            raise


def joined_prompt(piped: str, words: Sequence[str]) -> str:
    """What was piped in comes first, then the arguments, one blank between them."""
    return " ".join(part for part in (piped, *words) if part)


def request_fields(arguments: argparse.Namespace) -> Json:
    fields: Json = {"model": arguments.model}
    if arguments.format:
        fields["format"] = format_field(arguments.format)
    if arguments.keepalive:
        fields["keep_alive"] = arguments.keepalive
    return fields


def format_field(text: str) -> object:
    if text == "json":
        return text
    try:
        return json.loads(text)
    except ValueError as cause:
        raise CliError("--format must be 'json' or a JSON schema") from cause


def ask_once(client: Client, body: Json, *, verbose: bool, out: TextIO) -> None:
    final: Json = {}
    for event in client.stream("/api/generate", body):
        out.write(event.get("response", ""))
        out.flush()
        final = event
    out.write("\n\n")
    if verbose:
        print(conversation.statistics(final), file=sys.stderr)
