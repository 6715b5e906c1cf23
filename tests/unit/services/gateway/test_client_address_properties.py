"""Laws of whom the gateway believes about addresses."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.client_address import client_address, parse_networks

OURS = parse_networks("10.0.0.0/8")
outside = st.ip_addresses(v=4).filter(lambda address: address not in OURS[0])
inside = st.ip_addresses(v=4, network="10.0.0.0/8")


@given(outside, st.text())
def test_nobody_from_outside_chooses_their_address(peer: object, claims: str) -> None:
    assert client_address(str(peer), claims, OURS) == str(peer)


@given(inside, outside, st.text(), st.lists(inside, max_size=8))
def test_what_a_client_claims_in_front_of_our_proxies_changes_nothing(
    peer: object, client: object, claims: str, proxies: list[object]
) -> None:
    hops = ",".join([claims, str(client), *map(str, proxies)])
    assert client_address(str(peer), hops, OURS) == str(client)
