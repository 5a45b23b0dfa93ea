"""What nobody may read in a log, a repr or a traceback."""

import logging
import traceback

import httpx
import pytest
import respx

from recontact_tools import gateway as package
from recontact_tools.errors import RecontactError
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.gateway.answers import Answer
from recontact_tools.gateway.requests import IdentifierFile
from recontact_tools.gateway.tokens import Token
from recontact_tools.models import IdType, TargetGroup

pytestmark = pytest.mark.anyio


def test_the_package_offers_two_names() -> None:
    assert package.__all__ == ["Connection", "Gateway"]


def test_no_repr_holds_a_secret_a_token_or_an_id(gateway: Gateway, connection: Connection) -> None:
    found = [
        repr(value)
        for value in (
            gateway,
            connection,
            Answer(200, {"x": "canary"}, b"canary"),
            IdentifierFile("canary.csv", b"canary"),
            Token("canary", 1.0, 2.0),
        )
    ]
    assert "canary" not in "".join(found)
    assert found[2:4] == ["Answer(status=200)", "IdentifierFile(6 bytes)"]


@pytest.mark.parametrize("refuse_token", [False, True], ids=["API", "token endpoint"])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409, 429, 500])
async def test_no_traceback_or_log_holds_a_secret_a_token_or_an_id(
    gateway: Gateway,
    group: TargetGroup,
    router: respx.MockRouter,
    token_route: respx.Route,
    caplog: pytest.LogCaptureFixture,
    *,
    status: int,
    refuse_token: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"object": "authorization_error", "detail": "canary", "canary": "canary"}
    if refuse_token:
        token_route.side_effect = None
        token_route.respond(status, json=body)
    router.route(host="api.example").mock(return_value=httpx.Response(status, json=body))
    for call in (
        gateway.get_removal_job(group, "canary-job"),
        gateway.list_respondents(group, page_size=1, cursor="canary-cursor"),
        gateway.upload_file(group, file_name="a.csv", content=b"canary\n", id_type=IdType.RID),
    ):
        with pytest.raises(RecontactError) as caught:
            await call
        shown = [line for line in traceback.format_exception_only(caught.value) if "canary" in line]
        assert shown == []
        assert "canary" not in repr(caught.value) + str(caught.value.as_dict()) + caplog.text
