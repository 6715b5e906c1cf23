"""What a team meets: a cluster that asks for keys, nginx with TLS, Open WebUI, and people with browsers."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from browser.setup import User
from corral.site.secret_files import missing
from harness.browser import Person, chromium, running_browser
from harness.cluster import CONTEXT_TOKENS, SLOTS_COUNT, Cluster, start_cluster
from harness.open_webui import OpenWebUi, require_room, running_open_webui, variables_in
from integration.nginx.front_door import FrontDoor

# Short answers, the same each time: the small model may go on for ever.
BRIEF = {"DEFAULT_MODEL_PARAMS": '{"temperature": 0, "max_tokens": 200}', "TASK_MODEL_PARAMS": '{"max_tokens": 4}'}


@pytest.fixture(scope="session")
def secrets() -> dict[str, str]:
    """What `corral init` makes for a new site, by file name."""
    return {name: text.strip() for name, text in missing({}, "localhost").items()}


@pytest.fixture(scope="session")
def front_door(tmp_path_factory: pytest.TempPathFactory) -> FrontDoor:
    """Where everything will be reached, before it is."""
    require_room()
    chromium()
    return FrontDoor(tmp_path_factory.mktemp("nginx"))


@pytest.fixture(scope="session")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, front_door: FrontDoor, secrets: dict[str, str]
) -> Iterator[Cluster]:
    running = start_cluster(
        tmp_path_factory.mktemp("cluster"),
        CORRAL_NUM_PARALLEL=str(SLOTS_COUNT),
        CORRAL_CONTEXT_TOKENS=str(CONTEXT_TOKENS),
        CORRAL_GATEWAY_REQUIRE_KEYS="true",
        CORRAL_GATEWAY_ADMIN_KEY=secrets["admin_key"],
        CORRAL_GATEWAY_SERVICE_KEY=secrets["webui_key"],
        CORRAL_GATEWAY_FORWARDED_USER_SECRET=secrets["forwarded_user_secret"],
        CORRAL_GATEWAY_PUBLIC_URLS=front_door.url,
        CORRAL_GATEWAY_TRUSTED_PROXIES="127.0.0.1",
    )
    try:
        yield running
    finally:
        running.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def open_webui(
    tmp_path_factory: pytest.TempPathFactory, front_door: FrontDoor, cluster: Cluster, secrets: dict[str, str]
) -> AsyncIterator[OpenWebUi]:
    folder = tmp_path_factory.mktemp("open-webui")
    own = variables_in(secrets["open-webui.env"]) | BRIEF
    async with running_open_webui(folder, gateway_url=cluster.url, public_url=front_door.url, own=own) as page:
        yield page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def admin(
    front_door: FrontDoor, cluster: Cluster, open_webui: OpenWebUi, secrets: dict[str, str]
) -> AsyncIterator[User]:
    """Who was there at the first start."""
    gateway = cluster.url.removeprefix("http://")
    async with (
        front_door.running(EDGE_GATEWAY=gateway, EDGE_UI=open_webui.address),
        running_browser(front_door.url, front_door.certificate) as browser,
    ):
        person = Person("admin", browser)
        made = variables_in(secrets["open-webui.env"])
        account = {"email": made["WEBUI_ADMIN_EMAIL"], "password": made["WEBUI_ADMIN_PASSWORD"]}
        yield User(person, await person.does("log_in", **account))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ann(admin: User) -> User:
    """A colleague, whom the admin added."""
    person = Person("ann", admin.person.process)
    account = {"email": "ann@example.com", "password": "what Ann chose"}
    await admin.person.does("add_user", name="Ann", **account)
    return User(person, await person.does("log_in", **account))
