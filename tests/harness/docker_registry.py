"""The CNCF's registry (Debian's docker-registry) as a process of its own: a registry that is not ours."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

from harness.debian import debian_binary
from harness.token_server import ISSUER, SERVICE

LISTENING = re.compile(rb"listening on (?P<host>[0-9.]+):(?P<port>[0-9]+)")


@contextlib.asynccontextmanager
async def running_docker_registry(
    folder: Path, *, realm: str = "", certificate: Path | None = None
) -> AsyncIterator[str]:
    """Run it for the length of the block with its data in `folder`; gives `host:port`, which speaks plain http.

    With a `realm` it wants tokens from there, signed by the holder of `certificate`.
    """
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"accesslog": {"disabled": True}, "level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0", "secret": "not a secret in a test"},
    }
    if realm:
        token = {"realm": realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(certificate)}
        config["auth"] = {"token": token}
    path = folder / "config.yml"
    path.write_text(json.dumps(config))  # JSON is YAML
    process = await asyncio.create_subprocess_exec(
        debian_binary("docker-registry"), "serve", str(path),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said = b""
    reading: asyncio.Task[bytes] | None = None
    try:
        while not (listening := LISTENING.search(said)):
            line = await process.stderr.readline()
            assert line, said.decode()
            said += line
        reading = asyncio.create_task(process.stderr.read())  # so that it never waits for a full pipe
        yield f"{listening['host'].decode()}:{listening['port'].decode()}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if reading is not None:
            await reading
