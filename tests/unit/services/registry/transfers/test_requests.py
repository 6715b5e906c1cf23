"""The bodies of pulls and pushes."""

import pytest

from services.registry.transfers.requests import parse_transfer
from services.registry.transfers.transfer import TransferKind
from shared.errors import CorralError
from shared.model_name import parse_model_name


@pytest.mark.parametrize("body", [b'{"model":"tiny"}', b'{"name":"tiny","model":"","stream":null}', b'{"NAME":"tiny"}'])
def test_a_model_may_be_given_under_its_old_key(body: bytes) -> None:
    wanted = parse_transfer(TransferKind.PULL, body)
    assert wanted.name == parse_model_name("tiny")
    assert wanted.stream
    assert not wanted.insecure


def test_flags_are_read() -> None:
    wanted = parse_transfer(TransferKind.PUSH, b'{"model":"a/b:c","insecure":true,"stream":false}')
    assert (wanted.insecure, wanted.stream) == (True, False)


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (TransferKind.PULL, b"", "missing request body"),
        (TransferKind.PULL, b"{}", "invalid model name"),
        (TransferKind.PUSH, b"{}", "model is required"),
        (TransferKind.PULL, b'{"model":"../x"}', "invalid model name"),
        (TransferKind.PUSH, b'{"model":"a//b"}', "invalid model name"),
        (
            TransferKind.PULL,
            b'{"model":1}',
            "json: cannot unmarshal number into Go struct field PullRequest.model of type string",
        ),
    ],
)
def test_what_cannot_be_understood_is_refused_in_ollamas_words(kind: TransferKind, body: bytes, message: str) -> None:
    with pytest.raises(CorralError) as refused:
        parse_transfer(kind, body)
    assert refused.value.message == message
