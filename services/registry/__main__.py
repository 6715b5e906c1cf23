"""Run the registry: `python -m services.registry`."""

import os
import sys

import uvloop

from services.registry.app import build_app
from services.registry.settings import Settings
from shared import logs, ollama_environment, settings, web


def main() -> None:
    try:
        adoption = ollama_environment.adopt(os.environ, "registry")
        values = settings.load(Settings, adoption.environ, prefix="CORRAL_REGISTRY_")
        logs.configure(service="registry", level=values.log_level)
        ollama_environment.report(adoption)
        app = build_app(values)
    except settings.SettingsInvalid as invalid:
        sys.exit(str(invalid))
    uvloop.run(web.serve(app, host=values.host, port=values.port, drain_s=values.drain_s))


if __name__ == "__main__":
    main()
