"""Ollama's own command line, let in by the key it has: from `corral keys add-ssh` to `corral keys revoke`."""

import asyncio
import sys
from pathlib import Path

import aiohttp

from fakes.ollama_keys import OllamaKey
from harness.cluster import MODEL, Cluster
from integration.gateway.ollama_command_line import OllamaCommandLine

GENERATE = {"model": MODEL, "prompt": "Hi", "stream": False, "options": {"num_predict": 1}}


async def corral(cluster: Cluster, *arguments: str) -> str:
    """What the command line says; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "corral", *arguments, env={"CORRAL_HOST": cluster.url}, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def test_a_registered_key_makes_its_holder_a_user_until_it_is_revoked(cluster: Cluster, tmp_path: Path) -> None:
    key = OllamaKey()
    file = tmp_path / "id_ed25519.pub"
    file.write_text(key.public_line + "\n")
    async with aiohttp.ClientSession() as http:
        ollama = OllamaCommandLine(http, cluster.url, key)
        assert (await ollama.call("GET", "/api/keys"))[0] == 200, "a cluster of one's own asks nobody for a key"
        added = await corral(cluster, "keys", "add-ssh", "laptop", str(file))
        assert (await ollama.call("HEAD", "/"))[0] == 200
        assert (await ollama.call("POST", "/api/generate", GENERATE))[0] == 200
        status, text = await ollama.call("GET", "/api/keys")
        assert (status, "role admin" in text) == (403, True)
        assert (await ollama.send("GET", "/api/ps", "1", ollama.authorization("GET,/api/ps?ts=1")))[0] == 403
        (line,) = [line for line in (await corral(cluster, "keys", "list")).splitlines() if added.split()[-1] in line]
        await corral(cluster, "keys", "revoke", line.split()[0])
        assert (await ollama.call("GET", "/api/keys"))[0] == 200
