"""Laws of the judging: whatever a cluster says is judged, and what is to be done about it is said."""

from hypothesis import given
from hypothesis import strategies as st

from corral.doctor.checks import judged
from corral.doctor.checks.machines import clocks, room
from corral.doctor.checks.streaming import DECODE_S_MIN, streaming
from corral.doctor.cluster import Cluster, Device, Disk, Gateway, Redis, Registry, Resident, Worker
from corral.doctor.facts import Attempt, Door, Facts, Model, Place, Plain, Smoke, Stream, Tls
from corral.doctor.findings import Level

BADNESS = (Level.SKIPPED, Level.OK, Level.WARNING, Level.PROBLEM)
LOCAL = Place(scheme="http", host="127.0.0.1", port=11434, on_loopback=True)

sizes = st.integers(0, 1 << 45)
skews_ms = st.integers(-(10**6), 10**6)
words = st.text("abc.", max_size=8)
maybe = st.none() | st.booleans()
disks = st.none() | st.builds(Disk, free_bytes=sizes, total_bytes=sizes)
versions = st.sampled_from(["", "0.1.0", "0.2.0"])
residents = st.builds(
    Resident,
    model=words,
    state=st.sampled_from(["loading", "ready", "draining"]),
    size_bytes=sizes,
    layers_count=st.integers(0, 99),
    device_layers_count=st.integers(0, 99),
)
workers = st.builds(
    Worker,
    id=words,
    version=versions,
    clock_ahead_ms=st.none() | skews_ms,
    draining=st.booleans(),
    draining_s=st.none() | st.floats(0, 1e6),
    memory_bytes_max=sizes,
    device_memory_bytes_max=sizes,
    gpu_visible=st.booleans(),
    devices=st.lists(st.builds(Device, name=words), max_size=2).map(tuple),
    models=st.lists(residents, max_size=2).map(tuple),
    cache_disk=disks,
)
redises = st.builds(
    Redis,
    problem=st.sampled_from(["", "refused"]),
    reached_by=st.sampled_from(["socket", "loopback", "network"]),
    requires_password=maybe,
    server=words,
    version=st.sampled_from(["", "6.2.1", "7.0", "8.1.1-rc1", "255.255.255"]),
    clock_ahead_ms=st.none() | skews_ms,
    appendonly=maybe,
    appendonly_write_ok=maybe,
    snapshot_write_ok=maybe,
    maxmemory_policy=st.sampled_from(["", "noeviction", "allkeys-lru"]),
    memory_bytes_used=st.none() | sizes,
    memory_bytes_max=st.none() | sizes,
    memory_bytes_machine=st.none() | sizes,
)
clusters = st.builds(
    Cluster,
    version=versions,
    gateway=words,
    clock_unix_ms=st.just(1),
    gateways=st.lists(st.builds(Gateway, id=words, version=versions), max_size=2).map(tuple),
    workers=st.lists(workers, max_size=3).map(tuple),
    registry=st.builds(
        Registry, problem=words, version=versions, store_bytes=sizes, store_bytes_max=st.none() | sizes, disk=disks
    ),
    redis=redises,
)
attempts = st.builds(
    Attempt,
    method=st.just("GET"),
    path=words,
    key=words,
    status=st.sampled_from([200, 302, 400, 401, 403, 404, 429, 502]),
    is_page=st.booleans(),
)
places = st.builds(
    Place,
    scheme=st.sampled_from(["http", "https"]),
    host=words,
    port=st.integers(1, 65_535),
    on_loopback=st.booleans(),
    http_port=st.none() | st.integers(1, 65_535),
)
arrivals = st.lists(st.floats(0, 100), max_size=20).map(sorted).map(tuple)


@st.composite
def all_facts(draw: st.DrawFn) -> Facts:
    place = draw(places)
    trusted = draw(st.booleans())
    tls = Tls(
        verify_code=0 if trusted else draw(st.sampled_from([9, 10, 18, 19, 20, 23, 62, 64])),
        expires_unix_s=draw(st.floats(0, 1e10)) if trusted else None,
        old_is_refused=draw(maybe),
    )
    door = Door(
        headers={},
        attempts=tuple(draw(st.lists(attempts, max_size=3))),
        internal=tuple(draw(st.lists(attempts, max_size=3))),
        plain=draw(
            st.none() | st.builds(Plain, port=st.just(80), status=st.sampled_from([0, 200, 308]), location=words)
        ),
    )
    reached = trusted or not place.is_https
    cluster = draw(st.none() | clusters) if reached else None
    return Facts(
        place=place,
        now_unix_s=draw(st.floats(0, 1e10)),
        own_version=draw(versions),
        tls=tls if place.is_https else None,
        door=door if reached else None,
        cluster=cluster,
        gateway_ahead_ms=draw(skews_ms) if cluster else None,
        refusal=draw(st.sampled_from([401, 403, 404, 500])) if reached and cluster is None else 0,
        stream=draw(st.none() | st.builds(Stream, model=words, arrivals_s=arrivals, decode_s=st.floats(0, 100))),
        models=draw(st.none() | st.lists(st.builds(Model, name=words, size_bytes=sizes), max_size=3).map(tuple)),
        smokes=draw(
            st.none()
            | st.lists(
                st.builds(Smoke, model=words, outcome=st.sampled_from(["ok", "failed"]), age_s=st.floats(0, 1e6)),
                max_size=3,
            ).map(tuple)
        ),
    )


@given(all_facts())
def test_whatever_is_so_every_check_has_a_verdict_and_whatever_is_wrong_has_something_to_do(facts: Facts) -> None:
    findings = judged(facts)
    assert len(findings) == 22
    for finding in findings.values():
        assert finding.what
        assert bool(finding.todo) is (finding.level in (Level.WARNING, Level.PROBLEM))


@given(sizes, sizes, sizes)
def test_a_disk_with_less_room_is_never_judged_better(total: int, one: int, other: int) -> None:
    less, more = sorted((min(one, total), min(other, total)))
    found = [room(Disk(free_bytes=free, total_bytes=total), "d", "t").level for free in (less, more)]
    assert BADNESS.index(found[0]) >= BADNESS.index(found[1])


@given(skews_ms, skews_ms)
def test_a_clock_that_is_further_off_is_never_judged_better(one: int, other: int) -> None:
    nearer, further = sorted((one, other), key=abs)

    def level(ahead_ms: int) -> Level:
        worker = Worker(id="w", clock_ahead_ms=ahead_ms)
        cluster = Cluster(version="1", gateway="g", clock_unix_ms=1, workers=(worker,))
        return clocks(cluster, gateway_ahead_ms=0).level

    assert BADNESS.index(level(further)) >= BADNESS.index(level(nearer))


@given(st.floats(DECODE_S_MIN, 100), st.integers(2, 100), st.floats(0, 30))
def test_pieces_that_come_as_they_are_made_are_well_and_pieces_that_come_at_once_are_not(
    decode_s: float, pieces_count: int, began_s: float
) -> None:
    made = tuple(began_s + decode_s * number / (pieces_count - 1) for number in range(pieces_count))
    at_once = (began_s + decode_s,) * pieces_count
    for arrivals_s, level in ((made, Level.OK), (at_once, Level.PROBLEM)):
        assert streaming(Stream(model="m", arrivals_s=arrivals_s, decode_s=decode_s), LOCAL).level is level


@given(st.floats(0, DECODE_S_MIN, exclude_max=True), arrivals)
def test_of_an_answer_that_was_made_too_fast_nothing_is_claimed(decode_s: float, arrivals_s: tuple[float, ...]) -> None:
    stream = Stream(model="m", arrivals_s=arrivals_s, decode_s=decode_s)
    assert streaming(stream, LOCAL).level is Level.SKIPPED
