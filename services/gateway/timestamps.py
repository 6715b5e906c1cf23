"""Points in time as the APIs write them: RFC 3339 in UTC with microseconds."""

from datetime import UTC, datetime


def rfc3339(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Stamper:
    """`created_at` of streamed chunks: the part down to the second is formatted once a second only."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def at(self, unix_ns: int) -> str:
        second, rest_ns = divmod(unix_ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._text}{rest_ns // 1000:06d}Z"
