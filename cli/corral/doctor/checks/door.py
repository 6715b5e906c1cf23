"""What strangers see of the cluster: certificate, TLS, headers, and what they are refused."""

from collections.abc import Sequence
from typing import Final

from corral.doctor.facts import Attempt, Door, Facts, Place, Plain, Tls
from corral.doctor.findings import Finding, ok, problem, skipped, warning

DAYS_LEFT_MIN: Final = 21
DAY_S: Final = 86_400
HEADERS: Final = ("strict-transport-security", "x-content-type-options", "x-frame-options")
SHOWN_MAX: Final = 3

# Source: openssl, x509_vfy.h, X509_V_ERR_*.
NOT_YET_VALID: Final = 9
EXPIRED: Final = 10
SIGNED_BY_ITSELF: Final = 18
UNKNOWN_AUTHORITY: Final = (19, 20, 21)
OTHER_NAME: Final = (62, 64)

RENEW: Final = (
    "Put the new chain and its key into deploy/site/tls (certificate.pem, key.pem), then: "
    "docker compose exec nginx nginx -s reload"
)


def certificate(tls: Tls, place: Place, *, now_unix_s: float) -> Finding:
    match tls.verify_code:
        case 0:
            return _days_left(tls, now_unix_s=now_unix_s)
        case code if code == EXPIRED:
            return problem("it has expired", RENEW)
        case code if code == NOT_YET_VALID:
            return problem("it is not valid yet", "Is the clock of this machine right? Else wait, or: " + RENEW)
        case code if code in OTHER_NAME:
            names = ", ".join(tls.names) or "other names"
            return problem(
                f"it is for {names}, not for {place.host}",
                f"Ask for one of these names, or get a certificate for {place.host}. {RENEW}",
            )
        case code if code == SIGNED_BY_ITSELF or code in UNKNOWN_AUTHORITY:
            signer = "itself" if code == SIGNED_BY_ITSELF else "an authority that this machine does not know"
            return problem(
                f"it is signed by {signer}: clients refuse it",
                "If it is the team's own, let SSL_CERT_FILE name the file of who signed it (of `corral init`'s: "
                "deploy/site/tls/certificate.pem), here and for every client; else get one from a public authority. "
                + RENEW,
            )
    return problem(f"it is not trusted: {tls.verify_message}", RENEW)


def _days_left(tls: Tls, *, now_unix_s: float) -> Finding:
    assert tls.expires_unix_s is not None, "a certificate that was verified says when it ends"
    days = int((tls.expires_unix_s - now_unix_s) // DAY_S)
    what = f"valid {days} more days" if days != 1 else "valid 1 more day"
    return ok(what) if days >= DAYS_LEFT_MIN else warning(what, "Renew it. " + RENEW)


def protocols(tls: Tls) -> Finding:
    if tls.old_is_refused is None:
        return ok(f"{tls.protocol}; this machine's own TLS cannot ask for 1.1, so that was not tried")
    if tls.old_is_refused:
        return ok(f"{tls.protocol}; 1.1 is refused")
    return problem("TLS 1.1 is accepted", "In nginx: ssl_protocols TLSv1.2 TLSv1.3;")


def no_tls(place: Place) -> Finding:
    if place.on_loopback:
        return skipped("plain HTTP on this machine")
    return problem(
        "plain HTTP: keys and chats can be read on the way",
        "Put nginx in front (docs/deployment.md) and set CORRAL_HOST to its https:// address.",
    )


def redirect(plain: Plain) -> Finding:
    if not plain.status:
        return ok(f"nobody answers plain HTTP at port {plain.port}")
    if 300 <= plain.status < 400 and plain.location.startswith("https://"):
        return ok(f"port {plain.port} leads to {plain.location.split('/api/')[0]}")
    return problem(
        f"port {plain.port} answers plain HTTP with status {plain.status} instead of leading to HTTPS",
        "In nginx, the server of plain HTTP: return 308 https://$host$request_uri;",
    )


def headers(door: Door) -> Finding:
    missing = [name for name in HEADERS if name not in door.headers]
    if not missing:
        return ok("HSTS and the rest are set")
    return warning(
        f"missing: {', '.join(missing)}",
        "In nginx, in every location with an add_header of its own: include corral/headers.conf;",
    )


def keys(attempts: Sequence[Attempt], place: Place) -> Finding:
    """Refused is 401, or 403 where Ollama's command line would take a 401 for a sign-in elsewhere."""
    let_in = [one for one in attempts if one.status < 500 and one.status not in (401, 403, 429)]
    silent = [one for one in attempts if one.status >= 500 or one.status == 429]
    if let_in:
        what = "nobody is asked for one" if len(let_in) == len(attempts) else f"let in {_shown(let_in)}"
        todo = (
            "Set CORRAL_GATEWAY_REQUIRE_KEYS=true and CORRAL_GATEWAY_ADMIN_KEY, then make keys: corral keys create NAME"
        )
        return warning(f"{what}; the address is this machine's own", todo) if place.is_direct else problem(what, todo)
    if silent:
        return warning(f"no verdict on {_shown(silent)}", "Try again when the cluster answers.")
    return ok(f"{len(attempts)} requests without a key or with a wrong one were refused")


def internal_routes(attempts: Sequence[Attempt]) -> Finding:
    """A page is the chat interface's own answer to whatever it does not know."""
    reached = [one for one in attempts if one.status < 400 and not one.is_page]
    if reached:
        return problem(
            f"{', '.join(one.path for one in reached)} can be read from outside",
            "Publish nginx's ports only, not the gateway's; deploy/nginx answers these paths with 404.",
        )
    return ok("metrics, health and internal routes are not reachable")


def _shown(attempts: Sequence[Attempt]) -> str:
    some = ", ".join(f"{one.method} {one.path} with {one.key} ({one.status})" for one in attempts[:SHOWN_MAX])
    more = len(attempts) - SHOWN_MAX
    return f"{some} and {more} more" if more > 0 else some


def findings(facts: Facts) -> dict[str, Finding]:
    """Everything about the way in. Nothing but handshakes is made with an address whose certificate is not trusted."""
    place, tls, door = facts.place, facts.tls, facts.door
    untrusted = skipped("no request is made to an address whose certificate is not trusted")
    no_https = skipped("plain HTTP")
    found = {
        "TLS certificate": certificate(tls, place, now_unix_s=facts.now_unix_s) if tls else no_tls(place),
        "TLS protocol": protocols(tls) if tls else no_https,
    }
    if door is None:
        return {**found, **dict.fromkeys(("HTTP to HTTPS", "Headers", "Keys", "Internal routes"), untrusted)}
    no_port = skipped("the port of plain HTTP is not known; say it with --http-port")
    found["HTTP to HTTPS"] = (redirect(door.plain) if door.plain else no_port) if place.is_https else no_https
    found["Headers"] = headers(door) if place.is_https else no_https
    found["Keys"] = keys(door.attempts, place)
    direct = skipped("a gateway is asked directly, on its own machine")
    found["Internal routes"] = direct if place.is_direct else internal_routes(door.internal)
    return found
