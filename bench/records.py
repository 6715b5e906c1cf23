"""What one run of the benchmark measured, as it is written to `results.json`. Raw numbers; `stats.py` sums them up."""

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One streamed answer as its client saw it. `gaps_s` lie between pieces of text; `tokens` is the server's count."""

    ttft_s: float
    gaps_s: list[float]
    tokens: int


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """All users' answers from one server in one round.

    `idle_cpu_share` is what the waiting servers took of one core meanwhile.
    """

    server: str
    users: int
    round_number: int
    wall_s: float
    answers: list[Answer]
    idle_cpu_share: float


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """One short request: what the client waited for its first text, and what of that the engine says was its own."""

    client_s: float
    engine_s: float


class ProcessMemory(msgspec.Struct, frozen=True, kw_only=True):
    """`unique_bytes` leaves out what is shared with others, such as mapped weights."""

    process: str
    resident_bytes: int
    unique_bytes: int


class Results(msgspec.Struct, frozen=True, kw_only=True):
    date: str
    name: str
    machine: dict[str, str]
    settings: dict[str, int]
    peer_flags: dict[str, list[str]]
    blocks: list[Block]
    added: list[Added]
    memory: list[ProcessMemory]
