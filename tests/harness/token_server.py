"""A token server as the CNCF's registry wants one: signs what a user may do. Real signatures, a handful of users.

Source: CNCF distribution `spec/auth/token`, `spec/auth/jwt`.
"""

import base64
import datetime as dt
import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from aiohttp import BasicAuth, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

ISSUER = "corral-test-issuer"
SERVICE = "corral-test-registry"
LIFE_S = 300
EARLIER_S = 60


def self_signed(key: ec.EllipticCurvePrivateKey, *, hosts: tuple[str, ...] = ()) -> x509.Certificate:
    """A certificate for `hosts`, good for ninety days."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "corral-test")])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False)
    return builder.sign(key, hashes.SHA256())


def unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class TokenServer:
    """`users` (name to password) may pull and push; everyone may pull when it is `public`."""

    def __init__(self, users: Mapping[str, str], *, public: bool) -> None:
        self._users = users
        self._public = public
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self_signed(self._key)
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        """Who asked for which scopes, in order."""

    def write_certificate(self, path: Path) -> None:
        path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/token", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        user = ""
        if "Authorization" in request.headers:
            login = BasicAuth.decode(request.headers["Authorization"])
            if self._users.get(login.login) != login.password:
                return web.Response(status=401)
            user = login.login
        scopes = tuple(request.query.getall("scope", []))
        self.asked.append((user, scopes))
        allowed = {"pull", "push"} if user else {"pull"} if self._public else set[str]()
        access: list[dict[str, object]] = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": sorted(allowed & set(actions.split(",")))})
        return web.json_response({"token": self._token(user, access)})

    def _token(self, user: str, access: list[dict[str, object]]) -> str:
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        now = int(time.time())
        claims = {
            "iss": ISSUER, "aud": SERVICE, "sub": user, "access": access, "jti": secrets.token_hex(8),
            "iat": now, "nbf": now - EARLIER_S, "exp": now + LIFE_S,
        }  # fmt: skip
        signed = f"{unpadded(json.dumps(head).encode())}.{unpadded(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{unpadded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
