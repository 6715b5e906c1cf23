"""What was found out about a deployment, before anybody judges it. None is what was not, or could not be, found out."""

from collections.abc import Mapping
from dataclasses import dataclass

from corral.doctor.cluster import Cluster


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the cluster was asked. `http_port` is where its plain HTTP should lead to HTTPS, if that is known."""

    scheme: str
    host: str
    port: int
    on_loopback: bool
    http_port: int | None = None

    @property
    def is_https(self) -> bool:
        return self.scheme == "https"

    @property
    def is_direct(self) -> bool:
        """Whether a gateway is asked on its own machine, with nothing in front of it."""
        return self.on_loopback and not self.is_https


@dataclass(frozen=True, kw_only=True)
class Tls:
    """`verify_code` is OpenSSL's, 0 for a certificate that is trusted; `old_is_refused` is about TLS 1.1."""

    verify_code: int
    verify_message: str = ""
    expires_unix_s: float | None = None
    names: tuple[str, ...] = ()
    protocol: str = ""
    old_is_refused: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Plain:
    """What plain HTTP answered; status 0 is nobody there."""

    port: int
    status: int
    location: str = ""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A request that should be refused, and the status it got."""

    method: str
    path: str
    key: str  # "no key" or "a wrong key"
    status: int
    is_page: bool = False


@dataclass(frozen=True, kw_only=True)
class Door:
    """What the address answers to strangers; `headers` have names in lower case."""

    headers: Mapping[str, str]
    attempts: tuple[Attempt, ...]
    internal: tuple[Attempt, ...]
    plain: Plain | None = None


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A streamed answer: when its pieces came, counted from the request, and how long decoding took by the server."""

    model: str
    arrivals_s: tuple[float, ...] = ()
    decode_s: float = 0.0
    tokens_count: int = 0
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Model:
    name: str
    size_bytes: int
    generates: bool = True


@dataclass(frozen=True, kw_only=True)
class Smoke:
    """The last smoke generation of a model that was not left out."""

    model: str
    outcome: str
    age_s: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """`refusal` is the status with which the cluster refused to tell an admin's facts, 0 if it did not refuse."""

    place: Place
    now_unix_s: float
    own_version: str
    tls: Tls | None = None
    door: Door | None = None
    cluster: Cluster | None = None
    gateway_ahead_ms: int | None = None
    refusal: int = 0
    stream: Stream | None = None
    models: tuple[Model, ...] | None = None
    smokes: tuple[Smoke, ...] | None = None
