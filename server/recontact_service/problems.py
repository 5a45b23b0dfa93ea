"""The API's error envelope, and answers on their way out."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from recontact_service.values import Json

Header = tuple[bytes, bytes]
_JSON_HEADER: Header = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, its headers and its body."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = (_JSON_HEADER,)


def as_json(value: Json, status: int = 200) -> Answer:
    """Answer with a JSON document."""
    return Answer(status, json.dumps(value, separators=(",", ":")).encode())


class Problem(Exception):
    """A refusal in the documented envelope; *kind* becomes its `object`, in snake case."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        invalid_params: tuple[tuple[str, str], ...] = (),
        *,
        headers: tuple[Header, ...] = (),
    ) -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.invalid_params = invalid_params
        self.headers = headers

    def envelope(self, error_id: str) -> Answer:
        """Write the envelope; *error_id* is a UUID."""
        body: dict[str, Json] = {"id": error_id, "object": self.kind, "detail": self.detail}
        if self.invalid_params:
            body["invalid_params"] = [{"name": name, "reason": reason} for name, reason in self.invalid_params]
        answer = as_json(body, self.status)
        return Answer(answer.status, answer.body, (*answer.headers, *self.headers))


def not_found() -> Problem:
    """Refuse what is unknown."""
    return Problem(404, "not_found_error", "resource not found")


def method_not_allowed(allowed: Iterable[str]) -> Problem:
    """Refuse a method that a path does not have, naming those it has."""
    allow = (b"allow", ", ".join(sorted(allowed)).encode())
    detail = "the method is not allowed for this resource"
    return Problem(405, "method_not_allowed_error", detail, headers=(allow,))


def bad_parameter(name: str, reason: str) -> Problem:
    """Refuse one parameter, naming it but never repeating its value."""
    return Problem(400, "bad_request_error", f"Parameter '{name}' is not valid.", ((name, reason),))


def unauthorized() -> Problem:
    """Refuse a request without a valid token."""
    return Problem(401, "authorization_error", "no valid authorization provided for this operation")


def forbidden() -> Problem:
    """Refuse an expired token, in the same words as a missing permission."""
    return Problem(403, "authorization_error", "you don't have the right permissions to perform this operation")


def conflict() -> Problem:
    """Refuse a second job on a target group."""
    return Problem(409, "conflict_error", "this operation causes conflict(s) on the resources")


def too_large() -> Problem:
    """Refuse a file that is too big."""
    return Problem(413, "content_too_large_error", "File upload limit exceeded")


def unsupported_media_type() -> Problem:
    """Refuse a content type that is not a file upload's."""
    return Problem(415, "unsupported_media_type_error", "The 'Content-Type' header is incorrectly set")


def internal_error() -> Problem:
    """Admit an internal failure."""
    return Problem(500, "unexpected_internal_error", "an internal error has led to the failure of this operation")
