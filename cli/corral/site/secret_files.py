"""Which secrets a site has, and which of them are missing. Pure, but for the random texts it is given.

Some files repeat the secret of another one in the form that their reader wants, so a file is only made from what the
others say, and one that repeats a secret nobody has any more is an error, not something to be quietly replaced.
"""

import hashlib
import json
import secrets
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from corral.errors import CliError

API_KEY_PREFIX: Final = "corral_"  # an API key's form in the cluster
RANDOM_BYTES: Final = 32
REDIS_ADDRESS: Final = "redis:6379"
REDIS_TLS_PORT: Final = 6380
WORKER_RIGHTS: Final = (
    "~job:* ~jobs:* ~queue:* ~fair:* ~demand ~frames:* ~cancels:* ~lease:* ~roster:* "
    "~arq:worker:* ~arq:job:* ~arq:in-progress:* ~arq:result:* ~arq:retry:* ~arq:abort "
    "%R~models %R~models:replaced:* resetchannels &frames:* "
    "+@read +@write +@transaction +@connection +@pubsub +@stream +eval +evalsha +script|load "
    "-@dangerous -scan -randomkey +info +client|unblock"
)
"""What workers on other machines may do in Redis: their own work, and nothing with API keys, responses or summaries.

Source: the cluster's table of keys (shared/keys.py).
"""

Texts = Mapping[str, str]


@dataclass(frozen=True)
class SecretFile:
    """`made_from` are the files whose secrets it repeats; `text` makes it from what these say, and the site's name."""

    name: str
    text: Callable[[Texts, str], str]
    made_from: tuple[str, ...] = ()


def missing(existing: Texts, server_name: str) -> dict[str, str]:
    """The secrets to make, by file name, where `existing` is what is there.

    Raises: CliError when a file is there without the one it was made from.
    """
    known = dict(existing)
    made: dict[str, str] = {}
    for file in SECRET_FILES:
        lost = [source for source in file.made_from if source not in existing]
        if file.name not in existing:
            known[file.name] = made[file.name] = file.text(known, server_name) + "\n"
        elif lost:
            raise CliError(
                f"secrets/{file.name} repeats what was in secrets/{lost[0]}, which is gone: bring that back, or "
                f"remove {file.name}, too"
            )
    return made


def _api_key(_known: Texts, _server_name: str) -> str:
    return API_KEY_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def _random_text(_known: Texts, _server_name: str) -> str:
    return secrets.token_hex(RANDOM_BYTES)


def _redis_url(_known: Texts, _server_name: str) -> str:
    """With the user's name: redis-cli sends an empty one otherwise, which is nobody."""
    return f"redis://default:{secrets.token_hex(RANDOM_BYTES)}@{REDIS_ADDRESS}/0"


def _worker_redis_url(_known: Texts, server_name: str) -> str:
    """For workers on other machines."""
    return f"rediss://worker:{secrets.token_hex(RANDOM_BYTES)}@{server_name}:{REDIS_TLS_PORT}/0"


def redis_password(known: Texts, name: str = "redis_url") -> str:
    """Raises: CliError when this address of Redis holds none."""
    try:
        password = urllib.parse.urlsplit(known[name].strip()).password
    except ValueError:
        password = None
    if not password:
        raise CliError(f"secrets/{name} is not redis://USER:PASSWORD@HOST:PORT/0, so nothing can be made from it")
    return urllib.parse.unquote(password)


def _redis_users(known: Texts, _server_name: str) -> str:
    """Redis' own file of users. It keeps a password's SHA-256 only. Source: redis.io, "ACL", external ACL files."""
    own, workers = (_hashed(redis_password(known, name)) for name in ("redis_url", "worker_redis_url"))
    return f"user default on #{own} ~* &* +@all\nuser worker on #{workers} {WORKER_RIGHTS}"


def _hashed(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _redis_exporter(known: Texts, _server_name: str) -> str:
    """Source: github.com/oliver006/redis_exporter, `--redis.password-file`."""
    return json.dumps({f"redis://{REDIS_ADDRESS}": redis_password(known)})


def _open_webui(known: Texts, server_name: str) -> str:
    """Open WebUI's environment. Lines are NAME=value without quotes, `$` or ` #`: every reader of such files, Compose,
    Docker's own and Kubernetes' tools, takes these for the same thing.
    """
    key = known["webui_key"].strip()
    domain = server_name if "." in server_name else "localhost"  # what Open WebUI takes for an address
    connection = {"0": {"enable": True, "key": key}}
    values = {
        "WEBUI_SECRET_KEY": secrets.token_hex(RANDOM_BYTES),
        "OLLAMA_API_CONFIGS": json.dumps(connection, separators=(",", ":")),
        "FORWARD_USER_INFO_HEADER_JWT_SECRET": known["forwarded_user_secret"].strip(),
        "WEBUI_ADMIN_NAME": "Admin",
        "WEBUI_ADMIN_EMAIL": f"admin@{domain}",
        "WEBUI_ADMIN_PASSWORD": secrets.token_urlsafe(RANDOM_BYTES),
    }
    return "\n".join(f"{name}={value}" for name, value in values.items())


SECRET_FILES: Final = (
    SecretFile("admin_key", _api_key),
    SecretFile("webui_key", _api_key),
    SecretFile("forwarded_user_secret", _random_text),
    SecretFile("redis_url", _redis_url),
    SecretFile("worker_redis_url", _worker_redis_url),
    SecretFile("redis_users.acl", _redis_users, made_from=("redis_url", "worker_redis_url")),
    SecretFile("redis_exporter.json", _redis_exporter, made_from=("redis_url",)),
    SecretFile("grafana_admin_password", _random_text),
    SecretFile("open-webui.env", _open_webui, made_from=("webui_key", "forwarded_user_secret")),
)
