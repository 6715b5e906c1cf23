"""The results as a page of Markdown; what is printed at the end is the same page. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from bench.records import Results
from bench.stats import percentile, ratios, rows

MS: Final = 1000
MIB: Final = 1 << 20
BUSY_IDLER_SHARE: Final = 0.05
"""More than this of one core, taken by servers that should be waiting, puts a run in doubt."""


def page(results: Results, *, own: str) -> str:
    sections = [
        f"# {results.date} {results.name}",
        _machine(results),
        "## Throughput and latency",
        _throughput(results, own),
        "## Latency added by gateway, Redis and worker",
        _added(results),
        "## Idle memory of the cluster",
        _memory(results),
        "## The peer's flags",
        "\n".join(f"- {name}: `{' '.join(flags)}`" for name, flags in results.peer_flags.items()),
    ]
    return "\n\n".join(sections) + "\n"


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(
        [
            "| " + " | ".join(header) + " |",
            "|" + "---|" * len(header),
            *("| " + " | ".join(line) + " |" for line in lines),
        ]
    )


def _machine(results: Results) -> str:
    facts = {**results.machine, **{key: str(value) for key, value in results.settings.items()}}
    return "\n".join(f"- {key}: {value}" for key, value in facts.items())


def _throughput(results: Results, own: str) -> str:
    compared = {(ratio.users, ratio.against): ratio for ratio in ratios(results.blocks, of=own)}
    lines = []
    for row in sorted(rows(results.blocks), key=lambda row: row.users):
        ratio = compared.get((row.users, row.server))
        lines.append(
            [
                str(row.users),
                row.server,
                str(row.answers_count),
                f"{row.tokens_per_s:.1f}",
                f"{row.ttft_p50_s * MS:.0f}",
                f"{row.ttft_p99_s * MS:.0f}",
                f"{row.gap_p50_s * MS:.1f}",
                f"{row.gap_p99_s * MS:.1f}",
                f"{ratio.median:.2f} ({ratio.least:.2f}–{ratio.most:.2f})" if ratio else "",
            ]
        )
    header = [
        "users", "server", "answers", "tokens/s", "TTFT p50 ms", "TTFT p99 ms", "gap p50 ms", "gap p99 ms",
        f"{own} ÷ it, tokens/s (range)",
    ]  # fmt: skip
    busiest = max((block.idle_cpu_share for block in results.blocks), default=0.0)
    note = f"Waiting servers used at most {busiest * 100:.1f} % of one core during another's turn."
    if busiest > BUSY_IDLER_SHARE:
        note += " **That is enough to disturb the measurement.**"
    return f"{table(header, lines)}\n\n{note}"


def _added(results: Results) -> str:
    if not results.added:
        return "Not measured: it needs a level of one user."
    added = [item.client_s - item.engine_s for item in results.added]
    series = {
        "first text at the client": [item.client_s for item in results.added],
        "the engine's own time to its first token": [item.engine_s for item in results.added],
        "added": added,
    }
    lines = [
        [name, f"{percentile(values, 50) * MS:.2f}", f"{percentile(values, 99) * MS:.2f}"]
        for name, values in series.items()
    ]
    return f"{table(['', 'p50 ms', 'p99 ms'], lines)}\n\n{len(added)} requests, one at a time."


def _memory(results: Results) -> str:
    lines = [
        [item.process, f"{item.resident_bytes / MIB:.0f}", f"{item.unique_bytes / MIB:.0f}"] for item in results.memory
    ]
    return table(["process", "resident MiB", "of it unshared MiB"], lines)
