"""The process of the tests' authorization server: OAuth 2.1 and OpenID Connect on Authlib, all in memory.

Reads one JSON object from stdin: `key` (PEM of the signing key), `kid`, `clients` (id to secret, or null for a public
one). Prints its issuer and serves until it is stopped. Whoever comes to /authorize with `login_hint` is signed in under
that name at once; all others see a form that asks for a name.
"""

# Authlib ships no types: the checkers cannot see more of it than that it is there.
# mypy: disable-error-code="import-untyped, misc, no-untyped-call, no-any-return"
# pyright: basic, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# pyright: reportOptionalMemberAccess=false, reportArgumentType=false, reportReturnType=false
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # on loopback only

from authlib.oauth2 import AuthorizationServer, OAuth2Error
from authlib.oauth2.rfc6749 import OAuth2Request, grants
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import KeySet, RSAKey

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

SCOPES = ["openid", "profile", "recontacts:read", "recontacts:upload", "recontacts:remove"]
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass
class Client:
    """A client; any redirect to this machine is its own."""

    client_id: str
    secret: str | None

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str | None:
        return None

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(one for one in (scope or "").split() if one in SCOPES)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return urlsplit(redirect_uri).hostname in LOOPBACK

    def check_client_secret(self, client_secret: str) -> bool:
        return self.secret is not None and client_secret == self.secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        del endpoint
        return method == "none" if self.secret is None else method in {"client_secret_basic", "client_secret_post"}

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        wanted = {"authorization_code"} if self.secret is None else {"authorization_code", "client_credentials"}
        return grant_type in wanted


@dataclass
class User:
    """A person, who is known by a name and nothing else."""

    name: str

    def get_user_id(self) -> str:
        return self.name


@dataclass
class Code:
    """An authorization code that waits to be used."""

    code: str
    client_id: str
    redirect_uri: str
    scope: str
    user: User
    resource: str | None
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None
    auth_time: int = field(default_factory=lambda: int(time.time()))

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


@dataclass
class Issued:
    """An access token that was issued, for introspection."""

    client_id: str
    claims: dict[str, Any]

    def check_client(self, client: Client) -> bool:
        return client.client_id == self.client_id

    def get_scope(self) -> str:
        return str(self.claims.get("scope", ""))

    def get_expires_in(self) -> int:
        return int(self.claims["exp"]) - int(time.time())

    def is_expired(self) -> bool:
        return self.get_expires_in() <= 0

    def is_revoked(self) -> bool:
        return False


class Server(AuthorizationServer):
    """Authlib's server, with what is in memory behind it."""

    def __init__(self, issuer: str, keys: KeySet, kid: str, clients: dict[str, str | None]) -> None:
        super().__init__(scopes_supported=SCOPES)
        self.issuer = issuer
        self.keys = keys
        self.kid = kid
        self.clients = {name: Client(name, secret) for name, secret in clients.items()}
        self.codes: dict[str, Code] = {}
        self.issued: dict[str, Issued] = {}
        self.resource: str | None = None

    def query_client(self, client_id: str) -> Client | None:
        return self.clients.get(client_id)

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        now = int(time.time())
        subject = request.user.name if request.user else request.client.client_id
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "aud": self.resource or request.client.client_id,
            "client_id": request.client.client_id,
            "scope": token.get("scope", ""),
            "iat": now,
            "exp": now + token["expires_in"],
        }
        self.issued[token["access_token"]] = Issued(request.client.client_id, claims)

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        del name, args, kwargs

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        self.resource = request.payload.data.get("resource")
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        text = json.dumps(body) if isinstance(body, dict) else body or ""
        return Response(text, status_code=status, headers=dict(headers))


class CodeGrant(grants.AuthorizationCodeGrant):
    """The authorization code grant, with PKCE."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]  # noqa: RUF012 (Authlib's own)

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        data = request.payload.data
        self.server.codes[code] = Code(
            code=code,
            client_id=request.client.client_id,
            redirect_uri=data["redirect_uri"],
            scope=request.scope or "",
            user=request.user,
            resource=data.get("resource"),
            nonce=data.get("nonce"),
            code_challenge=data.get("code_challenge"),
            code_challenge_method=data.get("code_challenge_method"),
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        found = self.server.codes.get(code)
        if found is None or found.client_id != client.client_id:
            return None
        self.server.resource = self.server.resource or found.resource
        return found

    def delete_authorization_code(self, authorization_code: Code) -> None:
        self.server.codes.pop(authorization_code.code, None)

    def authenticate_user(self, authorization_code: Code) -> User:
        return authorization_code.user


class CredentialsGrant(grants.ClientCredentialsGrant):
    """The client credentials grant."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]  # noqa: RUF012 (as above)


class IdTokens(OpenIDCode):
    """Id tokens beside access tokens, signed with the same key."""

    def __init__(self, server: Server) -> None:
        super().__init__(require_nonce=False)
        self.server = server

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:
        del request
        return any(code.nonce == nonce for code in self.server.codes.values())

    def resolve_client_private_key(self, client: Client) -> KeySet:
        del client
        return self.server.keys

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        return {"iss": self.server.issuer, "aud": [client.client_id]}

    def get_encode_header(self, client: Client) -> dict[str, str]:
        del client
        return {"alg": "RS256", "kid": self.server.kid, "typ": "JWT"}

    def generate_user_info(self, user: User, scope: str) -> dict[str, str]:
        del scope
        return {"sub": user.name, "name": user.name, "preferred_username": user.name}


class AccessTokens(JWTBearerTokenGenerator):
    """Access tokens as RFC 9068 has them, for the resource that was asked for (RFC 8707)."""

    def __init__(self, server: Server) -> None:
        super().__init__(issuer=server.issuer, alg="RS256")
        self.server = server

    def get_jwks(self) -> KeySet:
        return self.server.keys

    def get_audiences(self, client: Client, user: User | None, scope: str) -> str:
        del user, scope
        return self.server.resource or client.client_id


class Introspection(IntrospectionEndpoint):
    """Introspection, for every client that has a secret."""

    CLIENT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]  # noqa: RUF012 (as above)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Issued | None:
        del token_type_hint
        return self.server.issued.get(token_string)

    def check_permission(self, token: Issued, client: Client, request: OAuth2Request) -> bool:
        del token, request
        return client.secret is not None

    def introspect_token(self, token: Issued) -> dict[str, Any]:
        return {"active": True, "token_type": "Bearer", **token.claims}


class Asked(OAuth2Request):
    """A request of ours as Authlib wants it."""

    def __init__(self, request: Request, form: FormData) -> None:
        super().__init__(request.method, str(request.url), headers=request.headers)
        self._args = dict(request.query_params)
        self._form = {name: str(value) for name, value in form.items()}
        self.payload = BasicOAuth2Payload({**self._args, **self._form})

    @property
    def args(self) -> dict[str, str]:
        return self._args

    @property
    def form(self) -> dict[str, str]:
        return self._form


FORM = """<!doctype html><html lang="en"><title>Sign in</title><main><h1>Sign in</h1>
<form method="post" action="?{query}"><label>Name <input name="username" autofocus></label>
<button type="submit">Sign in</button></form></main></html>"""


class Endpoints:
    """The HTTP surface; it counts what it is asked for."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.counts: dict[str, int] = {}
        self.extra_keys: list[dict[str, Any]] = []

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    async def authorize(self, request: Request) -> Response:
        asked = Asked(request, await request.form())
        name = asked.payload.data.get("username") or asked.payload.data.get("login_hint")
        if not name:
            return HTMLResponse(FORM.format(query=escape(str(request.url.query))))
        asked.user = User(name)
        self.server.create_oauth2_request(asked)
        try:
            grant = self.server.get_consent_grant(asked, asked.user)
        except OAuth2Error as error:
            return self.server.handle_error_response(asked, error)
        return self.server.create_authorization_response(asked, grant_user=asked.user, grant=grant)

    async def token(self, request: Request) -> Response:
        self._count("token")
        return self.server.create_token_response(Asked(request, await request.form()))

    async def introspect(self, request: Request) -> Response:
        self._count("introspect")
        return self.server.create_endpoint_response("introspection", Asked(request, await request.form()))

    async def jwks(self, request: Request) -> Response:
        del request
        self._count("jwks")
        public = self.server.keys.as_dict(private=False)
        return JSONResponse({"keys": [*public["keys"], *self.extra_keys]})

    async def metadata(self, request: Request) -> Response:
        del request
        self._count("metadata")
        issuer = self.server.issuer
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks.json",
                "introspection_endpoint": f"{issuer}/introspect",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "client_credentials"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": SCOPES,
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            }
        )

    async def control(self, request: Request) -> Response:
        """Show what was asked for so far; a POST adds a public key to those that are shown."""
        if request.method == "POST":
            self.extra_keys.append(await request.json())
        return JSONResponse(self.counts)


def build(issuer: str, said: dict[str, Any]) -> Starlette:
    """Build the application from what the parent said."""
    key = RSAKey.import_key(said["key"], {"kid": said["kid"], "use": "sig", "alg": "RS256"})
    server = Server(issuer, KeySet([key]), said["kid"], said["clients"])
    server.register_token_generator("default", AccessTokens(server))
    server.register_grant(CodeGrant, [CodeChallenge(required=True), IdTokens(server)])
    server.register_grant(CredentialsGrant)
    server.register_endpoint(Introspection(server))
    surface = Endpoints(server)
    return Starlette(
        routes=[
            Route("/authorize", surface.authorize, methods=["GET", "POST"]),
            Route("/token", surface.token, methods=["POST"]),
            Route("/introspect", surface.introspect, methods=["POST"]),
            Route("/jwks.json", surface.jwks),
            Route("/.well-known/openid-configuration", surface.metadata),
            Route("/.well-known/oauth-authorization-server", surface.metadata),
            Route("/_control", surface.control, methods=["GET", "POST"]),
        ]
    )


def main() -> None:
    """Serve until stopped."""
    said = json.loads(sys.stdin.readline())
    listening = socket.create_server(("127.0.0.1", 0))
    issuer = f"http://127.0.0.1:{listening.getsockname()[1]}"
    sys.stdout.write(json.dumps({"issuer": issuer}) + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(build(issuer, said), log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
