"""Entry point of `corral`: reads the arguments and the environment, runs one command, words its failure."""

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Final

from corral import up
from corral.commands import init
from corral.errors import CliError
from corral.ollama_names import adopted, with_adopted

INTERRUPTED: Final = 130


class ShowVersion(argparse.Action):
    """Asks for the version only when it is wanted: `init` also runs from a folder that was never installed."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"corral version is {importlib.metadata.version('corral')}")
        parser.exit()


def parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """What reads `argv`, or whatever arguments when it is left out."""
    top = argparse.ArgumentParser(
        prog="corral",
        description="Serve local language models to a team.",
        epilog="CORRAL_HOST says where the cluster is (http://127.0.0.1:11434), CORRAL_API_KEY who is asking.",
    )
    top.add_argument("--version", "-v", action=ShowVersion, nargs=0, help="show the version and leave")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    starting = commands.add_parser("up", help="start a cluster on this machine and stay until Ctrl-C")
    starting.add_argument("--no-prompt", action="store_true", help="do not ask the bundled model a first question")
    starting.set_defaults(here=start_cluster)
    # What a command does is `here(arguments, environ)` on this machine, or else `run(arguments, client)` over HTTP.
    top.set_defaults(here=None)
    for module in families(argv):
        module.add_parsers(commands)
    return top


def families(argv: Sequence[str]) -> tuple[ModuleType, ...]:
    """The modules that have commands. `init` is alone when it is asked for: it runs where only Python is installed."""
    if argv[:1] == ["init"]:
        return (init,)
    from corral.commands import (  # noqa: PLC0415
        apply,
        archive,
        backup,
        create,
        doctor,
        keys,
        models,
        run,
        running,
        show,
        smoke,
        systemd,
        transfers,
    )

    return (run, models, running, show, smoke, create, apply, transfers, archive, backup, keys, doctor, systemd, init)


def start_cluster(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    for one in adopted(environ):
        print(f"{one.variable} is set, so {one.setting}={one.value}")
    return up.main(with_adopted(environ), ask=not arguments.no_prompt)


def main(argv: Sequence[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    arguments = parser(argv).parse_args(argv)
    exit_code = 0
    try:
        if arguments.here is not None:
            exit_code = arguments.here(arguments, os.environ)
        else:
            from corral.client import Client, api_key, base_url  # noqa: PLC0415

            with Client(base_url(with_adopted(os.environ)), api_key(os.environ)) as client:
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
