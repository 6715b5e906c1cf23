"""Where a redirect or an upload's location leads, and what may go along. Pure."""

from typing import Final

from yarl import URL

from shared.errors import UpstreamFailed, UpstreamForbidden

REDIRECT_STATUSES: Final = frozenset({301, 302, 303, 307, 308})
REDIRECTS_MAX: Final = 10
"""As many as Go's client, and so Ollama's, follows."""


def same_origin(one: URL, other: URL) -> bool:
    """Whether both are the same server; only then may one's credentials go to the other."""
    return (one.scheme, one.raw_host, one.port) == (other.scheme, other.raw_host, other.port)


def next_url(current: URL, location: str | None) -> URL:
    """The URL that `location`, absolute or relative, means; left letter for letter, for it may be signed.

    Raises: UpstreamFailed when it is none, UpstreamForbidden when it would leave https.
    """
    if not location:
        raise UpstreamFailed("http: no Location header in response")
    try:
        url = current.join(URL(location, encoded=True)).with_fragment(None)
        host, port = url.raw_host, url.port
    except ValueError as cause:
        raise UpstreamFailed("a Location header that is no URL") from cause
    if url.scheme not in ("http", "https") or not host or not port:
        raise UpstreamFailed("a Location header that is no URL")
    if url.user is not None or url.password is not None:
        raise UpstreamFailed("a Location header with a password in it")
    if current.scheme == "https" and url.scheme != "https":
        raise UpstreamForbidden(f'"{current.host}" leads from https to plain http')
    return url


def shown(url: URL) -> str:
    """The URL as messages may show it: a query may hold a signature, which is a key to the content."""
    return str(url.with_query(None))
