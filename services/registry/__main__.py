"""Run the registry: `python -m services.registry`."""

import os
import sys

import uvloop

from services.registry.app import build_app
from services.registry.settings import Settings
from shared import logs, settings, web


def main() -> None:
    try:
        values = settings.load(Settings, os.environ, prefix="CORRAL_REGISTRY_")
    except settings.SettingsInvalid as invalid:
        sys.exit(str(invalid))
    logs.configure(service="registry", level=values.log_level)
    uvloop.run(web.serve(build_app(values), host=values.host, port=values.port, drain_s=values.drain_s))


if __name__ == "__main__":
    main()
