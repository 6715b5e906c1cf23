"""The cluster over HTTP: JSON calls, NDJSON streams, blob uploads. Printing is the commands' business."""

import json
import urllib.parse
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from corral.errors import ApiError, CliError

Json = dict[str, Any]
DEFAULT_PORT: Final = 11434
LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1")
CONNECT_TIMEOUT_S: Final = 10.0
UPLOAD_CHUNK_BYTES: Final = 1 << 20


def base_url(environ: Mapping[str, str]) -> str:
    """Where the cluster is: CORRAL_HOST (scheme and port may be left out), else CORRAL_PORT on this machine."""
    host = environ.get("CORRAL_HOST", "").strip().strip("\"'")
    if not host:
        return f"http://127.0.0.1:{environ.get('CORRAL_PORT') or DEFAULT_PORT}"
    if "://" in host:
        return host.rstrip("/")
    parts = urllib.parse.urlsplit(f"http://{host}")
    try:
        port = parts.port or DEFAULT_PORT
    except ValueError as cause:
        raise CliError(f"CORRAL_HOST is not an address: {host}") from cause
    hostname = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"http://{hostname}:{port}{parts.path.rstrip('/')}"


class Client:
    """One cluster. Every call may raise ApiError (it refused) or CliError (it was not reached)."""

    def __init__(self, url: str, api_key: str = "", *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        # Loading a model may take minutes, so only connecting has a limit.
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S)
        # A proxy of the environment has no business on loopback.
        on_loopback = httpx.URL(url).host in LOOPBACK_HOSTS
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=timeout, transport=transport, trust_env=not on_loopback
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """One JSON reply; an empty one is an empty object."""
        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError as cause:
            raise self._unreached(cause) from cause
        raise_for_refusal(response)
        return parsed(response.content) if response.content.strip() else {}

    def stream(self, path: str, body: Json) -> Generator[Json]:
        """The objects of an NDJSON reply as they come; closing the generator ends the request."""
        try:
            with self._http.stream("POST", path, json=body) as response:
                if response.is_error:
                    response.read()
                    raise_for_refusal(response)
                for line in response.iter_lines():
                    event = parsed(line)
                    if event.get("error"):
                        raise ApiError(str(event["error"]), 0)
                    yield event
        except httpx.HTTPError as cause:
            raise self._unreached(cause) from cause

    def has_blob(self, digest: str) -> bool:
        try:
            response = self._http.head(f"/api/blobs/{digest}")
        except httpx.HTTPError as cause:
            raise self._unreached(cause) from cause
        if response.status_code == httpx.codes.NOT_FOUND:
            return False
        raise_for_refusal(response)
        return True

    def upload_blob(self, digest: str, path: Path, on_progress: Callable[[int], None]) -> None:
        """Send the file's bytes; `on_progress` hears how many have gone out."""
        length = {"Content-Length": str(path.stat().st_size), "Content-Type": "application/octet-stream"}
        try:
            response = self._http.post(f"/api/blobs/{digest}", content=_chunks(path, on_progress), headers=length)
        except httpx.HTTPError as cause:
            raise self._unreached(cause) from cause
        raise_for_refusal(response)

    def _unreached(self, cause: httpx.HTTPError) -> CliError:
        if isinstance(cause, httpx.ConnectError | httpx.ConnectTimeout):
            return CliError(f"could not connect to Corral at {self.url}; start it with 'corral up' or set CORRAL_HOST")
        return CliError(f"the connection to {self.url} failed: {cause}")


def parsed(line: str | bytes) -> Json:
    try:
        value = json.loads(line)
    except ValueError as cause:
        raise CliError("the server's reply is not JSON; is this address a Corral cluster?") from cause
    if not isinstance(value, dict):
        raise CliError("the server's reply is not a JSON object; is this address a Corral cluster?")
    return value


def raise_for_refusal(response: httpx.Response) -> None:
    """Raises: ApiError with the text of the reply's `error`, which is a string or OpenAI's object."""
    if not response.is_error:
        return
    text = response.text.strip()
    try:
        error = json.loads(text)["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError):
        text = text or f"{response.status_code} {response.reason_phrase}"
    raise ApiError(text, response.status_code)


def _chunks(path: Path, on_progress: Callable[[int], None]) -> Iterator[bytes]:
    sent = 0
    with path.open("rb") as file:
        while chunk := file.read(UPLOAD_CHUNK_BYTES):
            yield chunk
            sent += len(chunk)
            on_progress(sent)
