"""Laws of restoring keys: each key has one fate, nothing that is here is lost, and records survive the file."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from services.gateway.key_backup import Records, WantedRestore, parse_restore, plan_restore, written
from services.gateway.key_store import KeyRecord, Role

IDS = [f"key_{number:016x}" for number in range(4)]
CREDENTIALS = {key_id: f"{number:064x}" for number, key_id in enumerate(IDS)}


def record_of(key_id: str) -> st.SearchStrategy[KeyRecord]:
    return st.builds(
        KeyRecord,
        id=st.just(key_id),
        name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100),
        role=st.sampled_from(Role),
        created_unix_ms=st.integers(0, 2**50),
        weight=st.floats(0, 10, exclude_min=True),
        summarizes=st.booleans(),
    )


RECORDS = st.sets(st.sampled_from(IDS)).flatmap(
    lambda ids: st.fixed_dictionaries({CREDENTIALS[key_id]: record_of(key_id) for key_id in ids})
)


@given(RECORDS, st.booleans())
def test_a_backup_of_keys_is_read_back_as_it_was(records: Records, replaces: bool) -> None:
    body = json.encode({"keys": written(records), "replace": replaces})
    assert parse_restore(body) == WantedRestore(records, replaces)


@given(RECORDS, RECORDS, st.booleans())
def test_each_key_has_one_fate_and_only_replacing_changes_what_is_here(
    backup: Records, stored: Records, replaces: bool
) -> None:
    planned = plan_restore(WantedRestore(backup, replaces), stored)
    fates = (planned.added, planned.replaced, planned.same, planned.kept)
    assert sorted(one for fate in fates for one in fate) == sorted(backup)
    after = {**stored, **planned.added, **planned.replaced}
    assert planned.added.keys().isdisjoint(stored)
    assert after == ({**stored, **backup} if replaces else {**backup, **stored})
    again = plan_restore(WantedRestore(backup, replaces), after)
    assert not again.added
    assert not again.replaced
