"""`install-systemd` and `uninstall-systemd`: the cluster as services of this machine, or of this user."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from corral.commands.parsers import Subparsers
from corral.errors import CliError
from corral.systemd.files import install, uninstall
from corral.systemd.plan import SYSTEM, TARGET, Host, PlannedFile, Scope, Wanted, next_steps, planned, user_scope
from corral.up import bundled

GPU_DEVICES: Final = ("/dev/nvidiactl", "/dev/kfd", "/dev/dri")


def add_parsers(commands: Subparsers) -> None:
    installing = commands.add_parser("install-systemd", help="make systemd run a cluster on this machine")
    installing.add_argument("--workers", type=int, default=1, metavar="N", help="worker processes (1)")
    installing.add_argument("--redis-url", default="", metavar="URL", help="use this Redis or Valkey, run none")
    installing.add_argument("--dry-run", action="store_true", help="show the files, write nothing")
    installing.set_defaults(here=install_units)
    removing = commands.add_parser("uninstall-systemd", help="remove what install-systemd wrote; models stay")
    removing.set_defaults(here=uninstall_units)
    for command in (installing, removing):
        command.add_argument("--user", action="store_true", help="for your own systemd; needs no root")


def install_units(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    scope = scope_of(arguments, environ)
    if not arguments.dry_run:
        require_rights(scope)
    bundled.require_services()
    wanted = Wanted(workers_count=arguments.workers, redis_url=arguments.redis_url)
    files = planned(scope, this_host(wanted), wanted)
    if arguments.dry_run:
        print("\n".join(shown(file) for file in files))
        return 0
    install(files, scope.config, print)
    print("\nNow run:", *next_steps(scope), sep="\n  ")
    return 0


def uninstall_units(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    scope = scope_of(arguments, environ)
    require_rights(scope)
    if scope.enabled_link.is_symlink():
        raise CliError(f"the cluster is still enabled: run '{scope.systemctl} disable --now {TARGET}' first")
    uninstall(scope.config, print)
    print(f"\nNow run:\n  {scope.systemctl} daemon-reload\nModels and keys are still where they were.")
    return 0


def scope_of(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Scope:
    """Raises: CliError where there is no systemd."""
    if sys.platform != "linux":
        raise CliError("systemd is a part of Linux; 'corral up' runs a cluster here")
    if not arguments.user:
        return SYSTEM
    # A relative path must be ignored (XDG Base Directory Specification).
    config_home = Path(environ.get("XDG_CONFIG_HOME", ""))
    return user_scope(config_home if config_home.is_absolute() else Path.home() / ".config")


def require_rights(scope: Scope) -> None:
    """Raises: CliError."""
    if scope.is_system and os.geteuid() != 0:
        raise CliError("services of the machine are root's to install: use sudo, or --user for your own")


def this_host(wanted: Wanted) -> Host:
    """Raises: CliError when there is no Valkey and one is needed."""
    services = bundled.package_folder("services")
    assert services is not None, "the services were found before"
    return Host(
        python=sys.executable,
        code=(sys.prefix, sys.base_prefix, str(services)),
        valkey="" if wanted.redis_url else str(bundled.valkey_binary()),
        cores_count=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        has_gpu=any(Path(device).exists() for device in GPU_DEVICES),
    )


def shown(file: PlannedFile) -> str:
    return f"# {file.path} (mode {file.mode:04o})\n{file.text}"
