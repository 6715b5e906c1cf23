"""Entry point of `corral`: reads the arguments and the environment, runs one command, words its failure."""

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from corral import up
from corral.client import Client, base_url
from corral.commands import apply, archive, create, keys, models, run, running, show, systemd, transfers
from corral.errors import CliError
from corral.ollama_names import adopted, with_adopted

INTERRUPTED: Final = 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="corral",
        description="Serve local language models to a team.",
        epilog="CORRAL_HOST says where the cluster is (http://127.0.0.1:11434), CORRAL_API_KEY who is asking.",
    )
    version = importlib.metadata.version("corral")
    top.add_argument("--version", "-v", action="version", version=f"corral version is {version}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    starting = commands.add_parser("up", help="start a cluster on this machine and stay until Ctrl-C")
    starting.add_argument("--no-prompt", action="store_true", help="do not ask the bundled model a first question")
    starting.set_defaults(here=start_cluster)
    # What a command does is `here(arguments, environ)` on this machine, or else `run(arguments, client)` over HTTP.
    top.set_defaults(here=None)
    for module in (run, models, running, show, create, apply, transfers, archive, keys, systemd):
        module.add_parsers(commands)
    return top


def start_cluster(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    for one in adopted(environ):
        print(f"{one.variable} is set, so {one.setting}={one.value}")
    return up.main(with_adopted(environ), ask=not arguments.no_prompt)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    exit_code = 0
    try:
        if arguments.here is not None:
            exit_code = arguments.here(arguments, os.environ)
        else:
            with Client(base_url(with_adopted(os.environ)), os.environ.get("CORRAL_API_KEY", "")) as client:
                arguments.run(arguments, client)
        # What is still buffered would otherwise fail when Python exits, where nobody handles it.
        sys.stdout.flush()
    except CliError as failure:
        print(f"Error: {failure}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output left; pointing stdout at nothing keeps Python's own flush quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt as stopped:
        print(f"\n{stopped}".rstrip(), file=sys.stderr)
        return INTERRUPTED
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
