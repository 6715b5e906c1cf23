"""`python -m services.worker`: read the environment and run."""

import os
import sys

import uvloop

from services.worker.app import build
from services.worker.settings import PREFIX, Settings
from shared import logs, settings, web


def main() -> None:
    try:
        config = settings.load(Settings, os.environ, prefix=PREFIX)
    except settings.SettingsInvalid as invalid:
        sys.exit(str(invalid))
    logs.configure(service="worker", level=config.log_level)
    uvloop.run(web.serve(build(config), host=config.host, port=config.port, drain_s=config.drain_s))


if __name__ == "__main__":
    main()
