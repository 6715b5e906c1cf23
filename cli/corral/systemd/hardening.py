"""What each service may do to the machine it runs on: as little as it needs. Pure.

Source: systemd.exec(5), systemd.resource-control(5). Measured with the kernel's own switch for it (PR_SET_MDWE):
Valkey, the gateway's libraries and llama.cpp on the CPU need no memory that is writable and executable.
"""

from typing import Final

Options = tuple[tuple[str, str], ...]

# A user's own manager has no rights to change mounts or devices; these it can do.
EVERYWHERE: Final[Options] = (
    ("NoNewPrivileges", "yes"),
    ("LockPersonality", "yes"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallErrorNumber", "EPERM"),
    ("UMask", "0027"),
)
SYSTEM_ONLY: Final[Options] = (
    ("CapabilityBoundingSet", ""),
    ("AmbientCapabilities", ""),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectProc", "invisible"),
    ("RemoveIPC", "yes"),
)
NO_DEVICES: Final[Options] = (("PrivateDevices", "yes"),)
GPU_DEVICES: Final[Options] = (
    ("DevicePolicy", "closed"),
    ("DeviceAllow", "char-nvidia* rw"),
    ("DeviceAllow", "char-drm rw"),
    ("DeviceAllow", "char-kfd rw"),
)
NO_NEW_CODE: Final[Options] = (("MemoryDenyWriteExecute", "yes"),)
SOCKETS: Final[Options] = (("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),)
LOCAL_SOCKETS_ONLY: Final[Options] = (("RestrictAddressFamilies", "AF_UNIX"),)
NO_NETWORK: Final[Options] = (("PrivateNetwork", "yes"),)


def options(*, is_system: bool, has_network: bool = True, uses_gpu: bool = False) -> Options:
    """A service's limits. The drivers of a GPU compile code for it, which is why those services may."""
    chosen = EVERYWHERE + (SOCKETS if has_network else LOCAL_SOCKETS_ONLY)
    if not uses_gpu:
        chosen += NO_NEW_CODE
    if is_system:
        chosen += SYSTEM_ONLY + (GPU_DEVICES if uses_gpu else NO_DEVICES) + (() if has_network else NO_NETWORK)
    return chosen
