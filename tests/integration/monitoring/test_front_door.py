"""The front door as Prometheus sees it: whether it answers, and how long its certificate lasts."""

from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from fakes.polling import until
from integration.monitoring.prometheus import running_blackbox_exporter, running_prometheus
from integration.nginx.front_door import FrontDoor

MODULE = {"module": "front_door"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For Prometheus; nginx has one of its own."""
    (tmp_path / "prometheus").mkdir()
    return tmp_path / "prometheus"


@pytest.fixture
def door(tmp_path: Path) -> FrontDoor:
    (tmp_path / "nginx").mkdir()
    return FrontDoor(tmp_path / "nginx")


async def test_prometheus_knows_when_the_certificate_ends_that_clients_are_shown(
    door: FrontDoor, folder: Path, gateway_url: str
) -> None:
    addresses = {"front-door": f"127.0.0.1:{door.https_port}"}
    async with (
        door.running(EDGE_GATEWAY=gateway_url.removeprefix("http://")),
        running_blackbox_exporter() as addresses["blackbox"],
        running_prometheus(folder, addresses) as prometheus,
    ):

        async def answers() -> bool:
            return bool(await prometheus.query('probe_success{job="front-door", instance="localhost"} == 1'))

        await until(answers, within_s=20)
        (expiry,) = await prometheus.query("probe_ssl_earliest_cert_expiry")
        shown = x509.load_pem_x509_certificate(door.certificate.read_bytes())
        assert float(expiry["value"][1]) == shown.not_valid_after_utc.timestamp()


@pytest.mark.parametrize(("name", "expected"), [("localhost", "probe_success 1"), ("other.test", "probe_success 0")])
async def test_only_a_name_that_nginx_serves_is_a_success(
    door: FrontDoor, gateway_url: str, http: aiohttp.ClientSession, name: str, expected: str
) -> None:
    async with door.running(EDGE_GATEWAY=gateway_url.removeprefix("http://")), running_blackbox_exporter() as blackbox:
        asked = {**MODULE, "target": f"https://127.0.0.1:{door.https_port}/", "hostname": name}
        async with http.get(f"http://{blackbox}/probe", params=asked) as response:
            assert expected in (await response.text()).splitlines()
