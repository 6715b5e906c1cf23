"""What the model store holds, what moves in and out of it, and what went wrong there."""

from typing import Final

from tools.dashboards.board import Board
from tools.dashboards.panels import bad_below, bad_from, events, lines, number
from tools.dashboards.queries import RATE, Query, happened, in_the_last, or_zero

TRANSFERS: Final = "corral_registry_transfers_total"
INDEX: Final = "corral_registry_index_publishes_total"
OUTCOMES: Final = {
    "done": "green",
    "stored": "green",
    "created": "green",
    "published": "green",
    "updated": "green",
    "present": "blue",
    "unchanged": "blue",
    "interrupted": "yellow",
    "failed": "red",
    "download_corrupt": "red",
    "upstream_failed": "red",
    "store_full": "red",
    "internal": "dark-red",
}


def board() -> Board:
    return Board(
        name="registry",
        title="Corral: Registry",
        about="What does the model store hold, what moves in and out, and what went wrong?",
        rows=(("Now", _now()), ("The store", _store()), ("What happened to models", _changes())),
    )


def _now() -> tuple[object, ...]:
    free = "min(instance:corral_registry_store_free_bytes:ratio)"
    failed = or_zero("sum(outcome:corral_registry_pull_failures:increase30m)")
    corrupt = in_the_last("1d", "corral_registry_corrupt_downloads_total")
    unpublished = in_the_last("1h", f'{INDEX}{{outcome="failed"}}')
    return (
        number("Models", "max(corral_registry_models)"),
        number("They take", "sum(corral_registry_store_bytes)", unit="bytes"),
        number(
            "Of the store is free",
            free,
            unit="percentunit",
            steps=bad_below(0.1, good_from=0.2),
            alert="CorralStoreNearlyFull",
        ),
        number("Pulls that failed, last half hour", failed, steps=bad_from(0.5), alert="CorralPullFails"),
        number("Corrupt downloads, last day", corrupt, steps=bad_from(1)),
        number("Index not published, last hour", unpublished, steps=bad_from(1)),
    )


def _store() -> tuple[object, ...]:
    deleted = f"sum(increase(corral_registry_collected_bytes_total[{RATE}]))"
    moved = f"sum by (direction) (rate(corral_registry_transfer_bytes_total[{RATE}]))"
    return (
        lines(
            "How full is the store?",
            Query("sum(corral_registry_store_bytes)", "taken"),
            Query("sum(corral_registry_store_free_bytes)", "free"),
            unit="bytes",
            stacked=True,
            colours={"taken": "blue", "free": "green"},
            alert="CorralStoreNearlyFull",
        ),
        lines("What moves in and out?", Query(moved, "{{direction}}"), unit="Bps"),
        lines("What is deleted because nobody needs it?", Query(deleted, "deleted"), unit="bytes"),
    )


def _changes() -> tuple[object, ...]:
    return (
        events(
            "How do pulls end?",
            happened(f'{TRANSFERS}{{kind="pull"}}', by="outcome"),
            colours=OUTCOMES,
            alert="CorralPullFails",
        ),
        events("How do pushes end?", happened(f'{TRANSFERS}{{kind="push"}}', by="outcome"), colours=OUTCOMES),
        events(
            "Do scheduled updates work?",
            happened("corral_registry_updates_total", by="outcome"),
            colours=OUTCOMES,
            alert="CorralPullFails",
        ),
        events("How do uploads end?", happened("corral_registry_uploads_total", by="outcome"), colours=OUTCOMES),
        events("Do models get built?", happened("corral_registry_builds_total", by="outcome"), colours=OUTCOMES),
        events("Is the index published?", happened(INDEX, by="outcome"), colours=OUTCOMES),
    )
