"""Pin again: write the lock files from pyproject.toml and the `.in` files. No index is named in them.

uv decides; where packages come from is the business of whoever installs.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "locks"
UV = Path(sys.executable).with_name("uv")
COMPILE = (
    "pip", "compile", "--quiet", "--upgrade", "--universal", "--python-version", "3.11",
    "--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate",
)  # fmt: skip


def compile_lock(name: str, *arguments: str) -> None:
    print(f"locks/{name}.lock", flush=True)
    # A company's own certificate authority is in the system's store, which uv reads only when told to.
    env = {"UV_NATIVE_TLS": "1", **os.environ}
    output = ("--output-file", str(LOCKS / f"{name}.lock"))
    subprocess.run([str(UV), *COMPILE, *arguments, *output], check=True, cwd=ROOT, env=env)


def main() -> None:
    # llama-cpp-python is compiled and kept (tools/build_wheel.py), so it has a lock of its own.
    compile_lock(
        "requirements", "--all-extras", "--no-emit-package", "llama-cpp-python", "pyproject.toml", "cli/pyproject.toml"
    )
    for service, command_line in (("gateway", ("cli/pyproject.toml",)), ("registry", ()), ("worker", ())):
        # What an image installs: the same versions, but only those of its service. Images of gateways bring the
        # command line along.
        compile_lock(
            f"image-{service}", "--constraints", "locks/requirements.lock", "--extra", service,
            "--no-emit-package", "llama-cpp-python", "pyproject.toml", *command_line,
        )  # fmt: skip
    compile_lock("image-build", "--constraints", "locks/requirements.lock", "locks/image-build.in")
    compile_lock("llama-cpp", "--no-deps", "--no-binary", "llama-cpp-python", "locks/llama-cpp.in")
    compile_lock("build", "locks/build.in")
    compile_lock("bundled", "--no-deps", "locks/bundled.in")
    compile_lock("tests", "--no-deps", "locks/tests.in")
    compile_lock("litellm", "locks/litellm.in")
    compile_lock("open-webui", "--config-file", "locks/open-webui.toml", "locks/open-webui.in")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failure:
        sys.exit(f"Error: uv ended with {failure.returncode}")
