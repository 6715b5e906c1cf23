"""The cluster over HTTP: JSON calls, NDJSON streams, blob uploads. Printing is the commands' business."""

import contextlib
import json
import ssl
import urllib.parse
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from corral.errors import ApiError, CliError, Unreached

Json = dict[str, Any]
DEFAULT_PORT: Final = 11434
PORT_MAX: Final = 65535
LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1")
CONNECT_TIMEOUT_S: Final = 10.0
UPLOAD_CHUNK_BYTES: Final = 1 << 20


def base_url(environ: Mapping[str, str]) -> str:
    """Where the cluster is: CORRAL_HOST (scheme and port may be left out), else CORRAL_PORT on this machine.

    Raises: CliError.
    """
    host = environ.get("CORRAL_HOST", "").strip().strip("\"'")
    if not host:
        return f"http://127.0.0.1:{environ.get('CORRAL_PORT') or DEFAULT_PORT}"
    try:
        url = httpx.URL(host.rstrip("/") if "://" in host else _completed(host))
        if (url.port or DEFAULT_PORT) > PORT_MAX:
            raise ValueError("there is no such port")
    except (ValueError, httpx.InvalidURL) as cause:
        raise CliError(f"CORRAL_HOST is not an address: {host}") from cause
    return str(url)


def _completed(host: str) -> str:
    """The address with the scheme and the port that it leaves out. Raises: ValueError."""
    parts = urllib.parse.urlsplit(f"http://{host}")
    hostname = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"http://{hostname}:{parts.port or DEFAULT_PORT}{parts.path.rstrip('/')}"


def api_key(environ: Mapping[str, str]) -> str:
    """Who is asking: CORRAL_API_KEY, else what is in the file CORRAL_API_KEY_FILE, else nobody.

    Raises: CliError.
    """
    path = environ.get("CORRAL_API_KEY_FILE", "")
    key = environ.get("CORRAL_API_KEY", "").strip()
    if not key and path:
        try:
            key = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as cause:
            raise CliError(f"CORRAL_API_KEY_FILE cannot be read: {cause}") from cause
    if not (key.isascii() and key.isprintable()):
        raise CliError("the API key has characters that no key has")  # which are not shown: the key would be
    return key


class Client:
    """One cluster. Every call may raise ApiError (it refused) or Unreached (there was no answer, or half of one)."""

    def __init__(self, url: str, api_key: str = "", *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        # Loading a model may take minutes, so only connecting has a limit.
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S)
        # A proxy of the environment has no business on loopback.
        on_loopback = httpx.URL(url).host in LOOPBACK_HOSTS
        self._http = httpx.Client(
            base_url=url,
            headers=headers,
            timeout=timeout,
            transport=transport,
            trust_env=not on_loopback,
            # The machine's own authorities or those of SSL_CERT_FILE: that is where a team's certificate is known.
            verify=ssl.create_default_context(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """One JSON reply; an empty one is an empty object."""
        with self._reaching():
            response = self._http.request(method, path, json=body)
        raise_for_refusal(response)
        return parsed(response.content) if response.content.strip() else {}

    def stream(self, path: str, body: Json) -> Generator[Json]:
        """The objects of an NDJSON reply as they come; closing the generator ends the request."""
        with self.opened("POST", path, json=body) as response:
            events = Events()
            for chunk in response.iter_bytes():
                yield from events.of(chunk)
            yield from events.last()

    def send(
        self,
        method: str,
        path: str | httpx.URL,
        *,
        content: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        absent_is_fine: bool = False,
    ) -> httpx.Response:
        """A call that is not JSON; a refusal is an error, but for 404 where that is an answer."""
        with self._reaching():
            response = self._http.request(method, path, content=content, headers=headers)
        if not (absent_is_fine and response.status_code == httpx.codes.NOT_FOUND):
            raise_for_refusal(response)
        return response

    @contextlib.contextmanager
    def opened(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        """A reply whose body the caller reads; `options` are those of `httpx.Client.stream`."""
        with self._reaching(), self._http.stream(method, path, **options) as response:
            if response.is_error:
                response.read()
                raise_for_refusal(response)
            yield response

    def has_blob(self, digest: str) -> bool:
        reply = self.send("HEAD", f"/api/blobs/{digest}", absent_is_fine=True)
        return reply.status_code != httpx.codes.NOT_FOUND

    def upload_blob(self, digest: str, path: Path, on_progress: Callable[[int], None]) -> None:
        """Send the file's bytes; `on_progress` hears how many have gone out."""
        length = {"Content-Length": str(path.stat().st_size), "Content-Type": "application/octet-stream"}
        self.send("POST", f"/api/blobs/{digest}", content=_chunks(path, on_progress), headers=length)

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as cause:
            if "CERTIFICATE_VERIFY_FAILED" in str(cause):
                raise Unreached(
                    f"the certificate of {self.url} is not trusted ({cause}); if it is the team's own, "
                    "let SSL_CERT_FILE name the file that has it"
                ) from cause
            raise Unreached(
                f"could not connect to Corral at {self.url}; start it with 'corral up' or set CORRAL_HOST"
            ) from cause
        except httpx.HTTPError as cause:
            raise Unreached(f"the connection to {self.url} failed: {cause}") from cause


class Events:
    """The objects of one NDJSON reply, from pieces of its bytes. Both calls raise ApiError for an error among them.

    Only a newline ends an object: inside one, U+0085, U+2028 and U+2029 are text, although Python counts them as ends
    of lines.
    """

    def __init__(self) -> None:
        self._rest = b""

    def of(self, chunk: bytes) -> Iterator[Json]:
        """The objects that are complete with this chunk."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield _checked(parsed(line))

    def last(self) -> Iterator[Json]:
        """What stands behind the last newline."""
        return self.of(b"\n")


def _checked(event: Json) -> Json:
    if event.get("error"):
        raise ApiError(str(event["error"]), 0)
    return event


def parsed(line: str | bytes) -> Json:
    try:
        value = json.loads(line)
    except ValueError as cause:
        raise CliError("the server's reply is not JSON; is this address a Corral cluster?") from cause
    if not isinstance(value, dict):
        raise CliError("the server's reply is not a JSON object; is this address a Corral cluster?")
    return value


def raise_for_refusal(response: httpx.Response) -> None:
    """Raises: ApiError with the reply's own words."""
    if response.is_error:
        text = response.text.strip()
        raise ApiError(_words(text) or text or f"{response.status_code} {response.reason_phrase}", response.status_code)


def _words(text: str) -> str:
    """The text of an error: Ollama's string, OpenAI's object or the registry protocol's list; else empty."""
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):
        reply = json.loads(text)
        error = reply["errors"][0] if "errors" in reply else reply["error"]
        return str(error["message"]) if isinstance(error, dict) else str(error)
    return ""


def _chunks(path: Path, on_progress: Callable[[int], None]) -> Iterator[bytes]:
    sent = 0
    with path.open("rb") as file:
        while chunk := file.read(UPLOAD_CHUNK_BYTES):
            yield chunk
            sent += len(chunk)
            on_progress(sent)
