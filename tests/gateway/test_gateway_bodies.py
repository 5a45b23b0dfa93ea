"""What a start of a job sends in its body."""

import email
import email.policy
from email.message import MIMEPart

import httpx
import pytest
import respx

from recontact_tools.gateway import Gateway
from recontact_tools.models import IdType, TargetGroup

pytestmark = pytest.mark.anyio


def parts(request: httpx.Request) -> list[MIMEPart]:
    head = b"content-type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
    found = email.message_from_bytes(head + request.content, policy=email.policy.default)
    return list(found.iter_parts())


@pytest.mark.parametrize(
    ("file_name", "media_type"),
    [
        pytest.param("ids-01.csv", "text/csv", id="csv"),
        pytest.param("ids-01.CSV", "text/csv", id="csv in capitals"),
        pytest.param("ids-01.txt", "text/plain", id="txt"),
    ],
)
async def test_an_upload_is_one_part_named_file_with_the_content_as_it_is(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, *, file_name: str, media_type: str
) -> None:
    route = router.route(host="api.example").respond(201, json={"job_id": "J1"})
    content = b"5a3b2ada-0000-0000-0000-000000000001\n5a3b2ada-0000-0000-0000-000000000002\n"
    job_id = await gateway.upload_file(group, file_name=file_name, content=content, id_type=IdType.RSID)
    (part,) = parts(route.calls.last.request)
    assert job_id == "J1"
    assert part["content-disposition"].params["name"] == "file"
    assert part.get_filename() == file_name
    assert part.get_content_type() == media_type
    assert part.get_payload(decode=True) == content


async def test_a_removal_has_no_body(gateway: Gateway, group: TargetGroup, router: respx.MockRouter) -> None:
    route = router.route(host="api.example").respond(201, json={"job_id": "J1"})
    assert await gateway.remove_all(group) == "J1"
    assert route.calls.last.request.content == b""
    assert "content-type" not in route.calls.last.request.headers
