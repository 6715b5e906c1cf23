"""Laws of addresses: any Host header is refused or can stand inside a quoted URL."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.public_address import address_of
from shared.errors import ParameterInvalid

hosts = st.text(max_size=60) | st.text('ab.-_[]:0123456789"\\/@ ', max_size=30)
listening = st.none() | st.tuples(st.ip_addresses().map(str), st.integers(1, 65_535))


@given(hosts, listening)
def test_what_is_accepted_breaks_no_quotes_and_no_path(host: str, socket: tuple[str, int] | None) -> None:
    try:
        address = address_of(host, scheme="http", listening=socket, public_urls=("https://corral.example",))
    except ParameterInvalid:
        return
    assert address.url.isascii()
    assert not set('"\\/@ ,\r\n') & set(address.authority)


@given(st.ip_addresses(), st.integers(1, 65_535))
def test_the_socket_itself_is_always_ours(ip: IPv4Address | IPv6Address, port: int) -> None:
    text = f"[{ip}]" if ":" in str(ip) else str(ip)
    address = address_of(f"{text}:{port}", scheme="http", listening=(str(ip), port), public_urls=())
    assert address.is_own
