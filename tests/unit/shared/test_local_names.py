"""Names that say where a model is."""

import pytest

from shared.errors import CorralError, Forbidden, ModelNameInvalid, ParameterInvalid
from shared.local_names import CLOUD_DETAILS, parse_local_name
from shared.model_name import parse_model_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("m", "m"),
        ("m:8b", "m:8b"),
        (" m:local ", "m"),
        ("m:8b:LOCAL", "m:8b"),
        ("host/ns/m:local", "host/ns/m"),
        ("local", "local"),
        ("m:my-local", "m:my-local"),
        ("cloud", "cloud"),
        ("a-cloud", "a-cloud"),
        ("cloud/a", "cloud/a"),
    ],
)
def test_a_name_that_is_here_loses_only_its_place(text: str, name: str) -> None:
    assert parse_local_name(text) == parse_model_name(name)


@pytest.mark.parametrize("text", ["m:cloud", "m:Cloud", "m:8b-cloud", "ns/m:8B-CLOUD", "m:8b:cloud"])
def test_a_model_in_the_cloud_is_refused_for_what_was_to_be_done_with_it(text: str) -> None:
    with pytest.raises(Forbidden) as refused:
        parse_local_name(text)
    assert refused.value.message == "ollama cloud is disabled: remote model is unavailable"
    with pytest.raises(Forbidden) as refused:
        parse_local_name(text, operation=CLOUD_DETAILS)
    assert refused.value.message == "ollama cloud is disabled: remote model details are unavailable"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("m:cloud:local", ParameterInvalid, 'use either :local or :cloud, not both: "m:cloud:local"'),
        ("m:local:cloud", ParameterInvalid, 'use either :local or :cloud, not both: "m:local:cloud"'),
        ("m:8b-cloud:local", ParameterInvalid, 'use either :local or :cloud, not both: "m:8b-cloud:local"'),
        ("a//b:cloud", ModelNameInvalid, "invalid model name"),
        (":cloud", ModelNameInvalid, "invalid model name"),
        ("m:-cloud", ModelNameInvalid, "invalid model name"),
    ],
)
def test_a_name_in_two_places_or_none_at_all_is_refused(text: str, kind: type[CorralError], message: str) -> None:
    with pytest.raises(kind) as refused:
        parse_local_name(text)
    assert refused.value.message == message
