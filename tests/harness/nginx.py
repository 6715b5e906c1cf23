"""A real nginx on loopback that serves a folder's files with ranges: the storage that registries redirect to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from harness.cluster import free_port
from harness.debian import debian_binary

CONFIG = """
daemon off;
master_process off;
pid {run}/pid;
error_log stderr error;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {run}; proxy_temp_path {run}; fastcgi_temp_path {run}; uwsgi_temp_path {run};
    scgi_temp_path {run};
    server {{
        listen 127.0.0.1:{port};
        root {served};
    }}
}}
"""


@contextlib.asynccontextmanager
async def running_nginx(served: Path, run: Path) -> AsyncIterator[str]:
    """Serve the files of `served` for the length of the block, with its own files in `run`; gives `host:port`."""
    port = free_port()
    config = run / "nginx.conf"
    config.write_text(CONFIG.format(run=run, port=port, served=served))
    process = await asyncio.create_subprocess_exec(
        debian_binary("nginx"), "-e", "stderr", "-c", str(config), "-p", str(run),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(10):
            await _until_listening(process, port)
        yield f"127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _until_listening(process: asyncio.subprocess.Process, port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            assert process.returncode is None, "nginx ended"
            await asyncio.sleep(0.01)
            continue
        writer.close()
        await writer.wait_closed()
        return
