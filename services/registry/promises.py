"""Blobs a client was told are here while it prepares a manifest. They may not be collected under its feet.

A client that pushes or creates a model asks first which blobs are here and does not send those. Until its manifest
names them nobody may need them; so the answer is a promise. It is kept until the manifest comes, or until nothing has
been heard of that repository's push for a while. Promises do not survive a restart: a manifest that comes too late is
refused with the name of the missing blob, and pushing again sends it.
"""

from collections.abc import Iterable

from shared.clock import Clock
from shared.digest import Digest
from shared.model_name import ModelName


def repository_key(name: ModelName) -> str:
    """The same for all tags and all spellings of a repository."""
    return f"{name.host}/{name.namespace}/{name.model}".lower()


class Promises:
    """Who was promised (a repository's key) what, and until when."""

    def __init__(self, clock: Clock, *, keep_s: float) -> None:
        self._clock = clock
        self._keep_s = keep_s
        self._until_s: dict[str, dict[Digest, float]] = {}

    def make(self, repository: str, digest: Digest) -> None:
        self._until_s.setdefault(repository, {})[digest] = self._clock.monotonic_s() + self._keep_s

    def renew(self, repository: str) -> None:
        """The repository's push goes on: all it was promised is kept for another while."""
        self._forget_expired()
        for digest in self._until_s.get(repository, ()):
            self.make(repository, digest)

    def withdraw(self, repository: str, digests: Iterable[Digest]) -> None:
        """The promises have been fulfilled, or were none."""
        promised = self._until_s.get(repository, {})
        for digest in digests:
            promised.pop(digest, None)
        if not promised:
            self._until_s.pop(repository, None)

    def holds(self, repository: str, digest: Digest) -> bool:
        self._forget_expired()
        return digest in self._until_s.get(repository, ())

    def digests(self) -> frozenset[Digest]:
        """Everything promised to anybody."""
        self._forget_expired()
        return frozenset(digest for promised in self._until_s.values() for digest in promised)

    def _forget_expired(self) -> None:
        now_s = self._clock.monotonic_s()
        for repository, promised in list(self._until_s.items()):
            self.withdraw(repository, [digest for digest, until_s in promised.items() if until_s <= now_s])
