"""Laws of redirects."""

from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from services.registry.upstream.redirects import next_url
from shared.errors import UpstreamFailed, UpstreamForbidden

locations = st.text(max_size=60) | st.from_regex(r"(https?:)?//[a-z0-9.:@\[\]-]{0,15}/[a-z%/?#=]{0,10}", fullmatch=True)


@given(st.sampled_from(["http", "https"]), locations)
def test_any_location_leads_to_a_host_at_least_as_safe_or_nowhere(scheme: str, location: str) -> None:
    try:
        url = next_url(URL(f"{scheme}://registry.example/v2/"), location)
    except (UpstreamFailed, UpstreamForbidden):
        return
    assert url.scheme in ("https", scheme)
    assert url.raw_host
    assert url.user is None
