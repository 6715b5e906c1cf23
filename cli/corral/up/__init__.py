"""Local mode: the whole cluster on one machine under one supervisor."""

from collections.abc import Mapping


def main(environ: Mapping[str, str], *, ask: bool) -> int:
    """Run the cluster until it is told to stop; returns the exit code. Imported late, as others need none of it."""
    from corral.up.command import run_cluster  # noqa: PLC0415

    return run_cluster(environ, ask=ask)
