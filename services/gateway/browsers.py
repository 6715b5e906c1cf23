"""Which web pages may use this server from a browser: rules over origins and host names. Pure.

Source: Ollama `server/routes.go` (allowedHost, CORS), `envconfig/config.go` (AllowedOrigins).
"""

import ipaddress
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "0.0.0.0"})  # noqa: S104  a page's origin, not a bind
_APP_SCHEMES: Final = frozenset(
    {
        *("app", "file", "tauri", "vscode-webview", "vscode-file"),
        *("chrome-extension", "moz-extension", "safari-web-extension"),
    }
)
_LOCAL_SUFFIXES: Final = (".localhost", ".local", ".internal")


def may_use(origin: str, *, own_host: str, extra_origins: Iterable[str]) -> bool:
    """Whether a page of `origin` may call us; `own_host` is the Host header, `extra_origins` may hold wildcards."""
    try:
        parts = urlsplit(origin)
        hostname = parts.hostname
    except ValueError:
        return False
    if parts.scheme in _APP_SCHEMES:
        return True
    if parts.scheme in ("http", "https") and (parts.netloc == own_host or hostname in _LOCAL_HOSTS):
        return True
    return any(fnmatchcase(origin, pattern) for pattern in extra_origins)


def is_own_name(host_header: str, *, own_names: Collection[str]) -> bool:
    """Whether a server on loopback may be called by this name: a page elsewhere must not reach it by a name of its own.

    An address in a Host header was typed by someone; a public one is refused, as is every name that is not local and
    not in `own_names` (lower case).
    """
    try:
        name = (urlsplit(f"//{host_header}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if not name:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name in own_names or name.endswith(_LOCAL_SUFFIXES)
    return address.is_loopback or address.is_private or address.is_unspecified
