"""The texts that Ollama signs, letter by letter, and how old a signature may be."""

import pytest

from services.gateway.signatures import SKEW_S_MAX, age_problem, command_line_text, token_text

NOW_S = 1_700_000_000


def test_the_command_line_signs_method_path_and_moment() -> None:
    assert command_line_text("POST", "/api/chat", "1700000000") == b"POST,/api/chat?ts=1700000000"


def test_a_server_signs_the_full_address_and_the_hash_of_nothing() -> None:
    url = "https://corral.example/v2/token?nonce=a-_b&scope=repository%3Ateam%2Fx%3Apull&service=corral.example&ts=1"
    digest_of_nothing_in_hex_in_base64 = (
        "ZTNiMGM0NDI5OGZjMWMxNDlhZmJmNGM4OTk2ZmI5MjQyN2FlNDFlNDY0OWI5MzRjYTQ5NTk5MWI3ODUyYjg1NQ=="
    )
    assert token_text(url) == f"GET,{url},{digest_of_nothing_in_hex_in_base64}".encode()


@pytest.mark.parametrize("skew_s", [0, SKEW_S_MAX, -SKEW_S_MAX])
def test_a_clock_may_differ_by_the_limit(skew_s: int) -> None:
    assert age_problem(str(NOW_S - skew_s), now_unix_ms=NOW_S * 1000) is None


@pytest.mark.parametrize(("skew_s", "direction"), [(SKEW_S_MAX + 1, "behind"), (-SKEW_S_MAX - 1, "ahead of")])
def test_a_clock_beyond_the_limit_is_named(skew_s: int, direction: str) -> None:
    problem = age_problem(str(NOW_S - skew_s), now_unix_ms=NOW_S * 1000)
    assert problem == f"the signed request's clock is 301 seconds {direction} this server's; set it right"


@pytest.mark.parametrize("ts", ["", "now", "-1", "1e9", " 1", "1\n", "9" * 13, "١"])
def test_a_moment_that_is_no_number_is_refused(ts: str) -> None:
    assert age_problem(ts, now_unix_ms=NOW_S * 1000) == "the signed request does not say when it was signed"
