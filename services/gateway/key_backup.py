"""Keys as a backup has them: written, read back with suspicion, and what of them to write into a store. Pure.

    {"<credential>": {"id": "key_…", "name": "…", "role": "user", …}, …}

A credential is a hash, so nobody gets in with a backup; but whoever restores one decides who gets in.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from services.gateway.key_store import KEY_NAME_CHARS_MAX, KeyRecord
from shared.errors import ParameterInvalid
from shared.go_json import GoFields, decode_object

CREDENTIAL: Final = re.compile(r"(ssh:)?[0-9a-f]{64}")
KEY_ID: Final = re.compile(r"key_[0-9a-f]{16}")
_FIELDS: Final = frozenset(field.encode_name for field in msgspec.structs.fields(KeyRecord))

Records = Mapping[str, KeyRecord]
"""Records of keys by credential."""


class WantedRestore(msgspec.Struct, frozen=True):
    records: Records
    replaces: bool


class KeyRestore(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of each key of a backup; `same` and `kept` stay as the store has them."""

    added: Records
    replaced: Records
    same: Records
    kept: Records


def written(records: Records) -> dict[str, object]:
    return {credential: msgspec.to_builtins(record) for credential, record in records.items()}


def parse_restore(body: bytes) -> WantedRestore:
    """Raises: ParameterInvalid for anything this server would not have written itself."""
    fields = GoFields("KeyRestoreRequest", decode_object(body, go_type="KeyRestoreRequest"))
    shown = fields.mapping("keys") or {}
    records = {credential: _record(credential, value) for credential, value in shown.items()}
    if len({record.id for record in records.values()}) < len(records):
        raise ParameterInvalid("two keys of the backup have the same id")
    return WantedRestore(records, replaces=fields.flag("replace") or False)


def _record(credential: str, value: object) -> KeyRecord:
    """A record whose every field is known: what is not understood may be a limit, and is never dropped."""
    if not CREDENTIAL.fullmatch(credential):
        raise ParameterInvalid("the backup holds something that is no key")
    unknown = sorted(value.keys() - _FIELDS) if isinstance(value, dict) else []
    if unknown:
        raise ParameterInvalid(f"this server does not know {unknown[0]!r} of keys; the backup is of a newer one")
    try:
        record = msgspec.convert(value, KeyRecord)
    except msgspec.ValidationError as cause:
        raise ParameterInvalid(f"the backup holds a damaged key: {cause}") from cause
    if not KEY_ID.fullmatch(record.id) or not 1 <= len(record.name) <= KEY_NAME_CHARS_MAX:
        raise ParameterInvalid("the backup holds a key without a proper id and name")
    if bool(record.fingerprint) is not credential.startswith("ssh:") or record.weight <= 0:
        raise ParameterInvalid(f"{record.id} is no key that this server would have made")
    return record


def plan_restore(wanted: WantedRestore, stored: Records) -> KeyRestore:
    """Add what is missing; what differs stays as it is, for it is newer than the backup, unless it is to be replaced.

    Raises: ParameterInvalid when an id belongs to another key here: revoking by id must mean one key.
    """
    taken = {record.id: credential for credential, record in stored.items()}
    for credential, record in wanted.records.items():
        if taken.get(record.id, credential) != credential:
            raise ParameterInvalid(f"{record.id} is another key here")
    added = {one: record for one, record in wanted.records.items() if one not in stored}
    same = {one: record for one, record in wanted.records.items() if stored.get(one) == record}
    differing = {one: record for one, record in wanted.records.items() if one not in added and one not in same}
    replaced, kept = (differing, {}) if wanted.replaces else ({}, differing)
    return KeyRestore(added=added, replaced=replaced, same=same, kept=kept)
