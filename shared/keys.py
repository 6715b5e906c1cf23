"""Every Redis key of the cluster, with its type, owner and lifetime. Commands live with their owners.

key                     type    written by            lives
----------------------  ------  --------------------  ---------------------------------------------------
job:{request}           hash    generation_queue      until finished; TTL = the request's deadline
queue:{weights}         zset    generation_queue      while jobs wait; member = request, score = start tag
fair:{weights}          hash    generation_queue      1 h after last use; `v` and one finish tag per user
jobs:{user}             set     generation_queue      the user's requests, waiting and running; TTL of the last job
demand                  hash    generation_queue      weights -> model name, while its queue may hold jobs
frames:{gateway}        stream  workers               capped in length; expires 60 s after the last frame
cancels:{worker}        stream  gateways              capped in length; expires 60 s after the last cancel
lease:{kind}:{member}   string  leases (its member)   3 s after the member's last heartbeat
roster:{kind}           set     leases                members ever announced; dead ones are swept by readers
leader                  string  gateway/leader        3 s after the leader's last renewal
models                  hash    registry              folded name -> ModelEntry; rewritten as a whole
keys                    hash    gateway/key_store     hash of an API key or ssh key -> its record; until revoked
token:{hash}            string  gateway/tokens        what a registry token or a blob's own URL opens; TTL is its life
summary:{digest}        string  gateway/summaries     of older turns; TTL = summary_life_s, 5 min if empty
nonce:{hash}            string  gateway/tokens        a nonce that was signed with; as long as the signature is fresh
response:{user}:{id}    string  stored_responses      a kept response and its input; TTL = responses_kept_s
responses:{user}        zset    stored_responses      ids of what is kept, score = last use in unix ms; TTL of the last
response_sizes:{user}   hash    stored_responses      id -> bytes, and their `total`; TTL of the last
smokes:{model}          list    gateway/smoke         msgpack SmokeResults, the last HISTORY_MAX; 7 d after the last
smoked                  set     gateway/smoke         full names of models that have a list of smokes
arq:gateway             zset    gateway/smoke (arq)   the round of smokes that is due; any gateway takes it
arq:worker:{worker}     zset    control_jobs (arq)    control jobs of one worker
arq:registry            zset    registry (arq)        pulls and pushes that are wanted, until each is done
"""

from typing import Final

DEMAND: Final = "demand"
LEADER: Final = "leader"
MODELS: Final = "models"
API_KEYS: Final = "keys"
SMOKED: Final = "smoked"
REGISTRY_JOBS: Final = "arq:registry"
GATEWAY_JOBS: Final = "arq:gateway"


def replaced_model(weights: str) -> str:
    return f"models:replaced:{weights}"


def job(request_id: str) -> str:
    return f"job:{request_id}"


def queue(weights: str) -> str:
    return f"queue:{weights}"


def fair(weights: str) -> str:
    return f"fair:{weights}"


def user_jobs(user: str) -> str:
    return f"jobs:{user}"


def frames(gateway_id: str) -> str:
    return f"frames:{gateway_id}"


def cancels(worker_id: str) -> str:
    return f"cancels:{worker_id}"


def lease(kind: str, member: str) -> str:
    return f"lease:{kind}:{member}"


def roster(kind: str) -> str:
    return f"roster:{kind}"


def token(token_hash: str) -> str:
    return f"token:{token_hash}"


def nonce(nonce_hash: str) -> str:
    return f"nonce:{nonce_hash}"


def response(user: str, response_id: str) -> str:
    return f"response:{user}:{response_id}"


def user_responses(user: str) -> str:
    return f"responses:{user}"


def response_sizes(user: str) -> str:
    return f"response_sizes:{user}"


def summary(digest: str) -> str:
    return f"summary:{digest}"


def smokes(model: str) -> str:
    return f"smokes:{model}"


def worker_jobs(worker_id: str) -> str:
    return f"arq:worker:{worker_id}"
