"""An authorization server for tests: a real process, and a hand that holds its key and signs what it likes."""

import json
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import RSAAlgorithm

READ, UPLOAD, REMOVE = "recontacts:read", "recontacts:upload", "recontacts:remove"
EVERY_SCOPE: Final = f"{READ} {UPLOAD} {REMOVE}"
KID: Final = "test-key"
# A public client with PKCE; one that is a program; and our server itself, which introspects and signs people in.
PUBLIC_CLIENT, ROBOT, SERVER_CLIENT = "agent", "robot", "recontact-mcp"
ROBOT_SECRET, SERVER_SECRET = "robot secret", "server secret"
CLIENTS: Final[Mapping[str, str | None]] = {PUBLIC_CLIENT: None, ROBOT: ROBOT_SECRET, SERVER_CLIENT: SERVER_SECRET}
_PROCESS: Final = Path(__file__).with_name("authorization_server_process.py")


def new_key() -> RSAPrivateKey:
    """Return a key that nobody else has."""
    return generate_private_key(public_exponent=65_537, key_size=2_048)


@dataclass(frozen=True)
class AuthorizationServer:
    """A running authorization server; *audience* is what its tokens are for unless one says otherwise."""

    issuer: str
    key: RSAPrivateKey
    audience: str = "http://127.0.0.1:8765/mcp"
    headers: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def claims(self, subject: str = "ann", scope: str = EVERY_SCOPE, **others: object) -> dict[str, Any]:
        """Return the claims of a good access token; *others* are added, and None leaves one out."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": subject,
            "aud": self.audience,
            "client_id": PUBLIC_CLIENT,
            "scope": scope,
            "iat": now,
            "exp": now + 600,
            **others,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, subject: str = "ann", scope: str = EVERY_SCOPE, **others: object) -> str:
        """Return an access token signed with the server's own key."""
        return self.signed(self.claims(subject, scope, **others))

    def signed(
        self,
        claims: Mapping[str, Any],
        *,
        key: Any = None,
        algorithm: str = "RS256",
        headers: Mapping[str, Any] | None = None,
    ) -> str:
        """Sign any claims with any key; *headers* are added to, or take the place of, the usual ones."""
        said = {"kid": KID, "typ": "at+jwt", **(headers or {})}
        return jwt.encode(dict(claims), self.key if key is None else key, algorithm=algorithm, headers=said)

    def counts(self) -> dict[str, int]:
        """Return how often each endpoint was asked so far."""
        found: dict[str, int] = httpx.get(f"{self.issuer}/_control").raise_for_status().json()
        return found

    def publish(self, key: RSAPrivateKey, kid: str) -> None:
        """Show a further public key, as a server does that changes its keys."""
        shown = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
        httpx.post(f"{self.issuer}/_control", json={**shown, "kid": kid, "use": "sig", "alg": "RS256"})

    def from_robot(self, scope: str = EVERY_SCOPE) -> str:
        """Fetch a token with client credentials, as a program does."""
        form = {"grant_type": "client_credentials", "scope": scope, "resource": self.audience}
        answer = httpx.post(f"{self.issuer}/token", data=form, auth=(ROBOT, ROBOT_SECRET)).raise_for_status()
        token: str = answer.json()["access_token"]
        return token


@contextmanager
def authorization_server(audience: str = "http://127.0.0.1:8765/mcp") -> Generator[AuthorizationServer]:
    """Run an authorization server on a free port until the block is left."""
    key = new_key()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    process = subprocess.Popen(
        [sys.executable, str(_PROCESS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"key": pem, "kid": KID, "clients": dict(CLIENTS)}) + "\n")
        process.stdin.flush()
        issuer: str = json.loads(process.stdout.readline())["issuer"]
        yield AuthorizationServer(issuer, key, audience)
    finally:
        process.terminate()
        process.communicate()
