"""Starts a gateway: `python -m services.gateway`."""

import os
import sys

import uvloop

from services.gateway.app import StartRefused, run
from services.gateway.settings import Settings
from shared import logs, ollama_environment
from shared.errors import Unavailable
from shared.settings import SettingsInvalid, load


def main() -> None:
    try:
        adoption = ollama_environment.adopt(os.environ, "gateway")
        settings = load(Settings, adoption.environ, prefix="CORRAL_GATEWAY_")
        logs.configure(service="gateway", level=settings.log_level)
        ollama_environment.report(adoption)
        uvloop.run(run(settings))
    except (SettingsInvalid, StartRefused, Unavailable) as cause:
        sys.exit(f"the gateway cannot start: {cause}")


if __name__ == "__main__":
    main()
