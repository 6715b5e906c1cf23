"""`doctor`: looks the deployment over and says what to do."""

import argparse
import sys
from collections.abc import Mapping
from typing import Final

from corral.client import api_key, base_url
from corral.commands.parsers import Subparsers
from corral.errors import Unreached
from corral.ollama_names import with_adopted

UNREACHED: Final = 2
PORT_MAX: Final = 65_535


def add_parsers(commands: Subparsers) -> None:
    looking = commands.add_parser(
        "doctor",
        help="check the deployment and say what to do",
        description="Check the deployment at CORRAL_HOST with an admin's CORRAL_API_KEY. The exit status is 0 without "
        "a problem, 1 with one, 2 when the cluster cannot be reached.",
    )
    looking.add_argument("--json", action="store_true", help="print one JSON object")
    looking.add_argument(
        "--http-port", type=_port, help="where plain HTTP should lead to HTTPS (80, if HTTPS is at 443)"
    )
    looking.set_defaults(here=examine)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {PORT_MAX}")
    return int(text)


def examine(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    # Other commands need none of it.
    from corral.doctor import report  # noqa: PLC0415
    from corral.doctor.checks import judged  # noqa: PLC0415
    from corral.doctor.gathering import gathered  # noqa: PLC0415
    from corral.doctor.gathering.probe import Probe, place_of  # noqa: PLC0415

    url = base_url(with_adopted(environ))
    try:
        with Probe(url, api_key(environ)) as probe:
            findings = judged(gathered(probe, place_of(url, http_port=arguments.http_port)))
    except Unreached as failure:
        print(f"Error: {failure}; start it with 'corral up' or set CORRAL_HOST", file=sys.stderr)
        return UNREACHED
    print(report.document(url, findings) if arguments.json else "\n".join((url, *report.lines(findings))))
    return report.exit_code(findings)
