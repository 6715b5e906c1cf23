"""TLS handshakes that look at a server's certificate and at what it accepts. Nothing is sent through them."""

import socket
import ssl
import warnings
from collections.abc import Mapping
from typing import Any, Final

from corral.doctor.facts import Tls
from corral.errors import Unreached

WAIT_S: Final = 10.0
OTHER_NAME: Final = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH

_NOT_OURS_TO_TRY: Final = ("NO_PROTOCOLS_AVAILABLE", "UNSUPPORTED_PROTOCOL_VERSION", "NO_CIPHERS_AVAILABLE")
"""Failures of this machine's own TLS, from before anything is sent."""


def look(host: str, port: int) -> Tls:
    """What the server shows to clients that verify it.

    Raises: Unreached when it does not answer, or not in TLS.
    """
    try:
        certificate, protocol = _shaken(host, port, ssl.create_default_context())
    except ssl.SSLCertVerificationError as refused:
        return Tls(
            verify_code=refused.verify_code,
            verify_message=refused.verify_message,
            names=_names_whatever_the_name(host, port) if refused.verify_code in OTHER_NAME else (),
            protocol=_protocol_unverified(host, port),
            old_is_refused=old_is_refused(host, port),
        )
    except ssl.SSLError as cause:
        raise Unreached(f"no TLS with {host}:{port}: {_said(cause, host)}") from cause
    except OSError as cause:
        raise Unreached(f"could not connect to {host}:{port}: {cause}") from cause
    return Tls(
        verify_code=0,
        expires_unix_s=float(ssl.cert_time_to_seconds(certificate["notAfter"])),
        names=_names(certificate),
        protocol=protocol,
        old_is_refused=old_is_refused(host, port),
    )


def old_is_refused(host: str, port: int) -> bool | None:
    """Whether TLS 1.1 is; None where this machine cannot ask for it."""
    context = _unverified()
    with warnings.catch_warnings():
        # Python warns of old versions, and rightly: this is to find out that nobody speaks them.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")  # distributions switch off at higher levels what 1.1 needs
        _shaken(host, port, context)
    except ssl.SSLError as refused:
        return None if refused.reason in _NOT_OURS_TO_TRY else True
    except OSError:
        return True
    return False


def _shaken(host: str, port: int, context: ssl.SSLContext) -> tuple[Mapping[str, Any], str]:
    with (
        socket.create_connection((host, port), timeout=WAIT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        return wrapped.getpeercert() or {}, wrapped.version() or ""


def _names_whatever_the_name(host: str, port: int) -> tuple[str, ...]:
    context = ssl.create_default_context()
    context.check_hostname = False
    try:
        return _names(_shaken(host, port, context)[0])
    except OSError:
        return ()


def _protocol_unverified(host: str, port: int) -> str:
    try:
        return _shaken(host, port, _unverified())[1]
    except OSError:
        return ""


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _names(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(name) for _, name in certificate.get("subjectAltName", ()))


def _said(cause: ssl.SSLError, host: str) -> str:
    if cause.reason in ("TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNRECOGNIZED_NAME"):
        return f"{host} is not among the names it serves (EDGE_SERVER_NAME)"
    return str(cause.reason or cause)
