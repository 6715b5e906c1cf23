"""`python -m services.worker`: read the environment and run."""

import os
import sys

import uvloop

from services.worker.app import build
from services.worker.settings import PREFIX, Settings
from shared import logs, ollama_environment, settings, web


def main() -> None:
    adoption = ollama_environment.adopt(os.environ, "worker")
    try:
        config = settings.load(Settings, adoption.environ, prefix=PREFIX)
    except settings.SettingsInvalid as invalid:
        sys.exit(str(invalid))
    logs.configure(service="worker", level=config.log_level)
    ollama_environment.report(adoption)
    uvloop.run(web.serve(build(config), host=config.host, port=config.port, drain_s=config.drain_s))


if __name__ == "__main__":
    main()
