"""The token endpoint, which answers in the words of its own host and not in the API's envelope."""

from starlette.types import Receive

from recontact_service.bodies import read_json
from recontact_service.problems import Answer, Problem, as_json
from recontact_service.tokens import AUDIENCE, Tokens


async def issue_token(receive: Receive, tokens: Tokens) -> Answer:
    """Exchange client credentials for a bearer token."""
    try:
        body = await read_json(receive)
    except Problem:
        return _refuse(400, "invalid_request", "The request body is not valid.")  # assumed: wording
    if body.get("grant_type") != "client_credentials":
        return _refuse(403, "unauthorized_client", "Grant type not allowed.")  # assumed: as Auth0 does
    client_id, secret = body.get("client_id"), body.get("client_secret")
    if not isinstance(client_id, str) or not isinstance(secret, str) or not tokens.accepts(client_id, secret):
        return _refuse(401, "access_denied", "Unauthorized")  # source: authentication page
    if body.get("audience") != AUDIENCE:
        return _refuse(403, "access_denied", "Service not enabled for this audience.")  # assumed: as Auth0 does
    return as_json({"access_token": tokens.issue(client_id), "expires_in": tokens.seconds, "token_type": "Bearer"})


def _refuse(status: int, error: str, description: str) -> Answer:
    return as_json({"error": error, "error_description": description}, status)
