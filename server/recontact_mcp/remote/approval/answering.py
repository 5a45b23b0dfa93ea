"""How the approval pages answer what goes wrong: in our own words, with the status that says whose turn it is."""

from __future__ import annotations

from functools import wraps
from math import ceil
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlencode

from starlette.exceptions import HTTPException

from recontact_mcp.remote.approval import views
from recontact_mcp.remote.approval.signing_in import CannotTell
from recontact_tools.errors import NotAllowed, NotFound, RateLimited, RecontactError
from recontact_tools.ledger import LedgerFault
from recontact_tools.sealing import KeyUnusable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

_Self = TypeVar("_Self")
STATUS: Final[Mapping[type[RecontactError], int]] = {NotFound: 404, RateLimited: 429, NotAllowed: 409}
NOT_SIGNED_IN: Final = "The sign-in does not belong to this browser, or took too long. Open the page again."
STRANGE: Final = "This form is not of this visit, or is too old. Nothing was decided; open the page again."
_NO_ISSUER: Final = "The sign-in service gave no usable answer. Nothing was decided; try again in a minute."
_NO_LEDGER: Final = "The server cannot use its data now. Nothing was decided; tell whoever runs it."


def told(
    endpoint: Callable[[_Self, Request], Awaitable[Response]],
) -> Callable[[_Self, Request], Awaitable[Response]]:
    """Answer what goes wrong in our own words, and never with an error's text."""

    @wraps(endpoint)
    async def answering(self: _Self, request: Request) -> Response:
        try:
            return await endpoint(self, request)
        except RecontactError as error:
            words, status = f"{error.message} {error.next_step}", STATUS.get(type(error), 503)
            answer = views.trouble_page("That did not work", words, status=status)
            if error.retry_after:
                answer.headers["retry-after"] = str(ceil(error.retry_after))
            return answer
        except CannotTell:
            return views.trouble_page("Nobody can sign in now", _NO_ISSUER, status=503)
        except HTTPException as error:  # of what reads forms, whose words are not ours
            return views.trouble_page("Nothing was decided", STRANGE, status=error.status_code)
        except (LedgerFault, KeyUnusable, OSError):
            return views.trouble_page("That did not work", _NO_LEDGER, status=503)

    return answering


def with_query(path: str, **values: str | None) -> str:
    """Return a path of ours with those values that there are."""
    given = {name: value for name, value in values.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


async def form_of(request: Request) -> dict[str, str]:
    """Return the texts of a form."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
