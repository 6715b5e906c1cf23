"""The deployment's own nginx configuration, rendered for loopback and run by a real nginx with its master process."""

import asyncio
import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from fakes.polling import until
from harness.cluster import free_port
from harness.debian import debian_binary
from harness.tls import write_certificate
from source import ROOT

CONFIG = ROOT / "deploy" / "nginx"
TEMPLATE = CONFIG / "templates" / "default.conf.template"
VARIABLE = re.compile(r"\$\{(EDGE_[A-Z_]+)\}")
NOBODY = "127.0.0.1:9"
"""An address where nothing listens."""

# What the image or the package has chosen when nginx was built.
_TEMPORARY_FOLDERS = "".join(
    f"{kind}_temp_path temporary_{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


def defaults() -> dict[str, str]:
    """The variables of the Compose deployment."""
    lines = (CONFIG / "edge.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def rendered(variables: Mapping[str, str]) -> str:
    """The template as the image's start script leaves it."""
    return VARIABLE.sub(lambda match: variables[match[1]], TEMPLATE.read_text(encoding="utf-8"))


class FrontDoor:
    """A folder like /etc/nginx, and the nginx that serves from it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self.http_port, self.https_port, self.ops_port = free_port(), free_port(), free_port()
        self._variables = defaults() | {
            "EDGE_HTTP_LISTEN": f"127.0.0.1:{self.http_port}",
            "EDGE_HTTPS_LISTEN": f"127.0.0.1:{self.https_port}",
            "EDGE_HTTPS_PORT": str(self.https_port),
            "EDGE_OPS_LISTEN": f"127.0.0.1:{self.ops_port}",
            "EDGE_RESOLVER": NOBODY,
            "EDGE_GATEWAY": NOBODY,
            "EDGE_UI": NOBODY,
            "EDGE_GRAFANA": NOBODY,
            "EDGE_ACCESS_LOG": str(folder / "access.log"),
        }

    @property
    def url(self) -> str:
        return f"https://localhost:{self.https_port}"

    @property
    def certificate(self) -> Path:
        return self._folder / "tls" / "certificate.pem"

    @property
    def error_log(self) -> str:
        return (self._folder / "error.log").read_text(encoding="utf-8")

    def client_tls(self) -> ssl.SSLContext:
        """Trusts the certificate that is in the folder now."""
        return ssl.create_default_context(cafile=self.certificate)

    @contextlib.asynccontextmanager
    async def client(self, *, key: str = "", from_address: str = "127.0.0.1") -> AsyncIterator[aiohttp.ClientSession]:
        """A session whose base is the front door, with the API key if one is given."""
        connector = aiohttp.TCPConnector(ssl=self.client_tls(), local_addr=(from_address, 0))
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with aiohttp.ClientSession(base_url=self.url, headers=headers, connector=connector) as session:
            yield session

    def renew_certificate(self) -> None:
        """Put another certificate into the folder; nginx learns of it with a reload."""
        write_certificate(self.certificate)
        shutil.copy(self.certificate, self._folder / "tls" / "key.pem")

    def access_log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self._folder / "access.log").read_text(encoding="utf-8").splitlines()]

    async def logged(self, **wanted: object) -> dict[str, Any]:
        """The line of the access log with these fields; a request is logged when it ends."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.access_log() if wanted.items() <= line.items()]

        await until(lambda: bool(found()))
        return found()[-1]

    async def checked(self) -> tuple[int, str]:
        """What `nginx -t` says."""
        self._write()
        process = await self._started("-t")
        status = await process.wait()
        return status, self.error_log

    @contextlib.asynccontextmanager
    async def running(self, **variables: str) -> AsyncIterator["FrontDoor"]:
        """Serve for the length of the block."""
        self._write(**variables)
        self._process = await self._started()
        try:
            await until(self._is_listening, within_s=10)
            yield self
        finally:
            if self._process.returncode is None:
                self._process.terminate()
            await self._process.wait()

    def reload(self) -> None:
        """What `nginx -s reload` does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def _write(self, **variables: str) -> None:
        (self._folder / "conf.d").mkdir()
        (self._folder / "tls").mkdir()
        shutil.copy(CONFIG / "nginx.conf", self._folder)
        shutil.copytree(CONFIG / "corral", self._folder / "corral")
        (self._folder / "conf.d" / "default.conf").write_text(rendered(self._variables | variables), encoding="utf-8")
        (self._folder / "conf.d" / "temporary.conf").write_text(_TEMPORARY_FOLDERS, encoding="utf-8")
        self.renew_certificate()

    async def _started(self, *options: str) -> asyncio.subprocess.Process:
        folder = self._folder
        directives = f"daemon off; pid {folder}/pid;"
        if os.geteuid() == 0:  # else a worker of another user could not enter the test's folder
            directives += f" user {pwd.getpwuid(0).pw_name};"
        with (folder / "error.log").open("wb") as errors:
            return await asyncio.create_subprocess_exec(
                debian_binary("nginx"), *options,
                "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", directives,
                stdout=asyncio.subprocess.DEVNULL, stderr=errors,
            )  # fmt: skip

    async def _is_listening(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.error_log
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.https_port)
        except ConnectionRefusedError:
            return False
        writer.close()
        await writer.wait_closed()
        return True
