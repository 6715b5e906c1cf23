"""Who sits in front of the browsers, and what the gateway wrote down about them."""

import json
from dataclasses import dataclass
from typing import Any

from harness.browser import Person
from harness.cluster import Cluster


@dataclass(frozen=True)
class User:
    """A person who has logged in; `id` is what Open WebUI tells the gateway."""

    person: Person
    id: str


def chats_of(cluster: Cluster, user: User) -> list[dict[str, Any]]:
    """The gateway's lines about the answers it made for a user of its service."""
    written = "".join(log.read_text(encoding="utf-8") for log in (cluster.home / "logs").glob("gateway*.log"))
    lines = [json.loads(line) for line in written.splitlines() if '"request_served"' in line]
    return [line for line in lines if line["route"] == "/api/chat" and line["user"] == f"service/{user.id}"]
