"""What a push sends, and where a layer may be taken over from."""

import pytest

from services.registry.transfers.push import mount_source, pushed_bytes
from shared.digest import digest_of
from shared.manifest import Layer, Manifest, MediaType
from shared.model_name import parse_model_name

NAME = parse_model_name("hub.inside:5000/team/model:v1")


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ("hub.inside:5000/team/base:latest", "team/base"),
        ("hub.inside:5000/team/model:v0", ""),  # the same repository: it has the blob or nobody does
        ("llama3:latest", ""),  # of another registry
        ("/models/weights.gguf", ""),
        ("", ""),
    ],
)
def test_a_layer_is_taken_over_only_within_its_registry(origin: str, source: str) -> None:
    layer = Layer(media_type=MediaType.MODEL, digest=digest_of(b"x"), size=1, from_=origin)
    assert mount_source(layer, NAME) == source


def test_a_manifest_is_sent_as_ollama_writes_it() -> None:
    layer = Layer(media_type=MediaType.MODEL, digest=digest_of(b"x"), size=1, from_="base:latest")
    config = Layer(media_type="application/json", digest=digest_of(b"y"), size=2)
    assert pushed_bytes(Manifest(config=config, layers=(layer,))).decode() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",'
        f'"config":{{"mediaType":"application/json","digest":"{digest_of(b"y")}","size":2}},'
        f'"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"{digest_of(b"x")}","size":1,'
        '"from":"base:latest"}]}'
    )
