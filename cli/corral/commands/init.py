"""`init`: makes what a site needs before `docker compose up -d`. A second run makes what is missing and no more."""

import argparse
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from corral.commands.parsers import Subparsers
from corral.errors import CliError
from corral.site import certificate, environment, files, secret_files
from corral.site.environment import MONITORING, UI, Variables, Wanted

SITE: Final = Path("deploy", "site")
Say = Callable[[str], None]


def add_parsers(commands: Subparsers) -> None:
    init = commands.add_parser("init", help="make the secrets, certificate and .env of a Compose deployment")
    init.add_argument("--folder", type=Path, default=Path(), help="where compose.yaml is (the current folder)")
    init.add_argument("--server-name", metavar="NAME[,NAME...]", help="what clients call the server (its own name)")
    init.add_argument("--http-port", type=int, metavar="PORT", help="for plain HTTP, which leads to HTTPS (80)")
    init.add_argument("--https-port", type=int, metavar="PORT", help="for HTTPS (443)")
    init.add_argument("--without-ui", action="store_true", help="no Open WebUI")
    init.add_argument("--without-monitoring", action="store_true", help="no Prometheus and Grafana")
    init.add_argument("--certificate", type=Path, metavar="FILE", help="your own certificate chain (PEM)")
    init.add_argument("--key", type=Path, metavar="FILE", help="the certificate's key (PEM)")
    init.add_argument("--renew-certificate", action="store_true", help="replace the certificate that init made")
    init.set_defaults(here=init_site)


def init_site(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    folder: Path = arguments.folder
    if not (folder / "compose.yaml").is_file():
        raise CliError(f"there is no compose.yaml in {folder.resolve()}: go to its folder, or say --folder")
    if (arguments.certificate is None) != (arguments.key is None):
        raise CliError("--certificate and --key go together")
    site = folder / SITE
    try:
        dotenv = files.read(folder / ".env")
        variables = environment.variables_for(environment.parse(dotenv), wanted(arguments), socket.getfqdn())
        names = environment.server_names(variables["CORRAL_SERVER_NAME"])
        for path, mode in ((site, files.CLOSED_FOLDER_MODE), (site / "secrets", files.FOLDER_MODE)):
            files.make_folder(path, mode)
        # What may be refused comes first, and the name before what is made with it.
        make_certificate(site / "tls", names, arguments, print)
        complete_environment(folder / ".env", dotenv, variables, print)
        make_secrets(site / "secrets", names[0], print)
        make_file(site / "front_door.yml", front_door(names), print)
    except BrokenPipeError:
        raise
    except (OSError, UnicodeDecodeError) as cause:
        raise CliError(f"cannot make the site: {cause}") from cause
    print(next_steps(folder, variables))
    return 0


def wanted(arguments: argparse.Namespace) -> Wanted:
    """Raises: CliError for a name that is none."""
    left_out = {UI: arguments.without_ui, MONITORING: arguments.without_monitoring}
    profiles = tuple(profile for profile, is_left_out in left_out.items() if not is_left_out)
    return Wanted(
        server_names=None if arguments.server_name is None else environment.server_names(arguments.server_name),
        http_port=arguments.http_port,
        https_port=arguments.https_port,
        profiles=profiles if any(left_out.values()) else None,
    )


def make_secrets(folder: Path, server_name: str, say: Say) -> None:
    paths = {file.name: folder / file.name for file in secret_files.SECRET_FILES}
    existing = {name: files.read(path) for name, path in paths.items() if path.exists()}
    missing = secret_files.missing(existing, server_name)
    for name, path in paths.items():
        if name in missing:
            files.write(path, missing[name])
        say(f"{'made' if name in missing else 'kept'} {path}")


def make_certificate(folder: Path, names: tuple[str, ...], arguments: argparse.Namespace, say: Say) -> None:
    """Raises: CliError where one is there that is not ours to replace, or the given one does not fit."""
    paths = certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    if certificate_path.exists() != key_path.exists():
        raise CliError(f"{folder} has a certificate or a key but not both: complete or remove them")
    if certificate_path.exists():
        if not arguments.renew_certificate and arguments.certificate is not None:
            raise CliError(f"{certificate_path} is there already: replace it and {key_path} by hand")
        if not arguments.renew_certificate:
            for path in paths:
                say(f"kept {path}")
            return
        if not certificate.was_made_here(certificate_path):
            raise CliError(f"{certificate_path} was not made by init: replace it and {key_path} by hand")
    if arguments.certificate is None:
        pair = certificate.self_signed(names)
    else:
        pair = certificate.given(arguments.certificate, arguments.key, names)
    files.make_folder(folder, files.FOLDER_MODE)
    for path, text in zip(paths, (pair.certificate, pair.key), strict=True):
        files.write(path, text)
        say(f"made {path}")


def make_file(path: Path, text: str, say: Say) -> None:
    if not path.exists():
        files.write(path, text)
        say(f"made {path}")
    else:
        say(f"kept {path}")


def front_door(names: tuple[str, ...]) -> str:
    return f"# The names that clients use.\n- targets: [{', '.join(names)}]\n"


def complete_environment(path: Path, before: str, variables: Variables, say: Say) -> None:
    after = environment.completed(before, variables)
    if after == before:
        say(f"kept {path}")
        return
    files.write_private(path, after)
    say(f"{'completed' if before else 'made'} {path}")


def next_steps(folder: Path, variables: Variables) -> str:
    site, url = folder / SITE, variables["CORRAL_PUBLIC_URL"]
    profiles = variables["COMPOSE_PROFILES"].split(",")
    lines = [
        "",
        "Start it, in the folder of compose.yaml:",
        "  docker compose up -d",
        "See whether all is well:",
        f'  CORRAL_HOST={url} CORRAL_API_KEY="$(cat {site}/secrets/admin_key)" \\',
        f"    SSL_CERT_FILE={site}/tls/certificate.pem corral doctor",
        "",
        f"{url} is the address for all clients.",
        f"{site}/secrets/admin_key is the key of the first admin; `corral keys create` makes the others'.",
    ]
    if UI in profiles:
        lines.append(f"{site}/secrets/open-webui.env has the e-mail and password of Open WebUI's first admin.")
    if MONITORING in profiles:
        lines.append(f"{site}/secrets/grafana_admin_password is the password of 'admin' at {url}/grafana/.")
    lines.append(f"{site}/tls/certificate.pem, if nobody signed it, is for clients to trust, as it is.")
    return "\n".join(lines)
