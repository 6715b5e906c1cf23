"""The page of results says what was measured, and admits what disturbs it."""

from bench.records import Added, Answer, Block, ProcessMemory, Results
from bench.report import page, table


def results(*, idle_cpu_share: float = 0.0, added: list[Added] | None = None) -> Results:
    blocks = [
        Block(
            server=server,
            users=1,
            round_number=0,
            wall_s=1.0,
            answers=[Answer(ttft_s=0.25, gaps_s=[0.0125], tokens=tokens)],
            idle_cpu_share=idle_cpu_share,
        )
        for server, tokens in (("corral", 90), ("llama-server", 100))
    ]
    return Results(
        date="2025-01-02",
        name="test",
        machine={"processor": "abacus"},
        settings={"threads": 2},
        peer_flags={"llama-server": ["--parallel", "1"]},
        blocks=blocks,
        added=added or [],
        memory=[ProcessMemory(process="services.gateway", resident_bytes=64 << 20, unique_bytes=48 << 20)],
    )


def test_every_server_has_its_line_and_the_peers_says_how_corral_compares() -> None:
    text = page(results(), own="corral")
    assert "| 1 | corral | 1 | 90.0 | 250 | 250 | 12.5 | 12.5 |  |" in text
    assert "| 1 | llama-server | 1 | 100.0 | 250 | 250 | 12.5 | 12.5 | 0.90 (0.90–0.90) |" in text


def test_added_latency_is_the_clients_wait_without_the_engines() -> None:
    text = page(results(added=[Added(client_s=0.0125, engine_s=0.0100)] * 3), own="corral")
    assert "| added | 2.50 | 2.50 |" in text
    assert "3 requests" in text


def test_added_latency_that_was_not_measured_is_not_invented() -> None:
    assert "Not measured" in page(results(), own="corral")


def test_a_waiting_server_that_burns_a_core_puts_the_run_in_doubt() -> None:
    assert "disturb the measurement" not in page(results(idle_cpu_share=0.01), own="corral")
    assert "disturb the measurement" in page(results(idle_cpu_share=0.5), own="corral")


def test_machine_settings_memory_and_flags_are_on_the_page() -> None:
    text = page(results(), own="corral")
    for fact in ("- processor: abacus", "- threads: 2", "| services.gateway | 64 | 48 |", "`--parallel 1`"):
        assert fact in text


def test_a_table_is_markdown() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"
