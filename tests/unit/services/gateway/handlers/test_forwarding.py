"""Which headers travel between a client and the registry."""

from services.gateway.handlers.forwarding import passed_back, passed_on


def test_what_the_protocol_says_goes_through_and_may_be_said_twice() -> None:
    headers = [
        ("Accept", "application/vnd.oci.image.manifest.v1+json"),
        ("Accept", "application/vnd.docker.distribution.manifest.v2+json"),
        ("Range", "bytes=0-99"),
        ("If-None-Match", '"x"'),
        ("Content-Type", "application/octet-stream"),
        ("Content-Length", "7"),
        ("Content-Range", "0-6"),
        ("X-Redirect-Uploads", "1"),
    ]
    assert list(passed_on(headers).items()) == headers


def test_credentials_and_claims_of_origin_stay_here() -> None:
    headers = [
        ("Authorization", "Bearer corral_key"),
        ("X-API-Key", "corral_key"),
        ("Cookie", "a=b"),
        ("Host", "corral.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("Forwarded", "host=evil.example"),
        ("Expect", "100-continue"),
    ]
    assert not passed_on(headers)


def test_what_concerns_one_connection_stays_on_it() -> None:
    headers = [
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Transfer-Encoding", "chunked"),
        ("TE", "trailers"),
    ]
    assert not passed_on(headers)
    assert not passed_back([*headers, ("Server", "aiohttp"), ("Date", "now"), ("X-Request-Id", "1")])


def test_a_body_that_was_read_is_not_called_coded_and_one_passed_through_is() -> None:
    headers = [("Content-Encoding", "gzip"), ("Content-Length", "7"), ("Content-Type", "text/plain")]
    assert list(passed_on(headers, body_was_read=True).items()) == [("Content-Type", "text/plain")]
    assert list(passed_on(headers).items()) == headers


def test_the_registrys_answer_keeps_what_its_clients_need() -> None:
    headers = [
        ("Content-Length", "7"),
        ("Content-Encoding", "gzip"),
        ("Docker-Content-Digest", "sha256:ab"),
        ("Location", "/v2/x"),
        ("Accept-Ranges", "bytes"),
        ("ETag", '"x"'),
        ("Link", "</v2/_catalog?last=x>; rel=next"),
        ("WWW-Authenticate", "Basic"),
        ("OCI-Subject", "sha256:cd"),
    ]
    assert list(passed_back(headers).items()) == headers
