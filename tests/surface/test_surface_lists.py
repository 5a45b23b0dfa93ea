"""What a client learns before its first call: the server, its tools, templates and prompts."""

# jsonschema ships no types; one checker wants that said, the other wants it left unsaid.
# mypy: disable-error-code="import-untyped"

import inspect
import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import pytest
from jsonschema import Draft202012Validator
from mcp import MCPError
from mcp_types import INVALID_PARAMS, ListToolsResult

from recontact_mcp.app import LISTS_FRESH_MS
from recontact_mcp.settings import Settings
from recontact_mcp.storage import LEDGER_FILE
from recontact_tools import uris
from recontact_tools.catalog import Operation, catalog

if TYPE_CHECKING:
    from tests.conftest import Connect

pytestmark = pytest.mark.anyio

NAMED = pytest.mark.parametrize("operation", catalog(local_files=True), ids=lambda operation: operation.name)
# ours: what the list of tools may cost a model's context in every chat
TOOLS_BYTES_MAX = 15_500
# What the API itself can do may cost no more than this of it.
OF_THE_API = {
    "upload_recontacts",
    "get_upload_job",
    "list_upload_jobs",
    "remove_all_recontacts",
    "get_removal_job",
    "get_recontact_overview",
    "list_recontacts",
}
OF_THE_API_BYTES_MAX = 9_000
# What a host cannot take at the top of an input schema, or anywhere in any schema.
COMBINATORS = {"oneOf", "anyOf", "allOf", "not", "if", "enum"}
REFERENCES = {"$ref", "$defs", "definitions"}


def keywords(node: object) -> set[str]:
    """Return every keyword that a schema uses, at any depth; names of properties are none."""
    if isinstance(node, list):
        return {key for item in cast("list[object]", node) for key in keywords(item)}
    if not isinstance(node, dict):
        return set()
    fields = cast("dict[str, Any]", node)
    inside = [list(value.values()) if key == "properties" else value for key, value in fields.items()]
    return set(fields) | keywords(inside)


async def test_exactly_the_catalog_is_listed_in_its_order(era: str, connect: "Connect") -> None:
    async with connect(era) as client:
        listed = await client.list_tools()
    assert [tool.name for tool in listed.tools] == [
        "preview_upload",
        "upload_recontacts",
        "get_upload_job",
        "list_upload_jobs",
        "remove_all_recontacts",
        "get_removal_job",
        "restore_recontacts",
        "replace_recontacts",
        "cancel_recontact_job",
        "check_recontact_readiness",
        "get_recontact_overview",
        "list_recontacts",
    ]
    assert [tool.name for tool in listed.tools] == [operation.name for operation in catalog(local_files=True)]


@NAMED
async def test_a_tool_carries_the_hints_and_the_words_of_its_operation(
    era: str, connect: "Connect", operation: Operation
) -> None:
    async with connect(era) as client:
        [tool] = [tool for tool in (await client.list_tools()).tools if tool.name == operation.name]
    assert tool.annotations is not None
    assert (
        tool.annotations.read_only_hint,
        tool.annotations.destructive_hint,
        tool.annotations.idempotent_hint,
        tool.annotations.open_world_hint,
    ) == (operation.read_only, operation.destructive, operation.idempotent, True)
    assert tool.title == operation.title
    assert tool.description == inspect.getdoc(operation.run)


def test_only_what_removes_is_destructive_and_only_what_starts_or_stops_a_job_writes() -> None:
    writers = [operation.name for operation in catalog(local_files=True) if not operation.read_only]
    destructive = [operation.name for operation in catalog(local_files=True) if operation.destructive]
    assert writers == [
        "upload_recontacts",
        "remove_all_recontacts",
        "restore_recontacts",
        "replace_recontacts",
        "cancel_recontact_job",
    ]
    assert destructive == ["remove_all_recontacts", "replace_recontacts"]


@NAMED
async def test_a_tool_has_schemas_that_every_host_can_take(era: str, connect: "Connect", operation: Operation) -> None:
    async with connect(era) as client:
        [tool] = [tool for tool in (await client.list_tools()).tools if tool.name == operation.name]
    schemas: list[dict[str, Any]] = [tool.input_schema, tool.output_schema or {}]
    for schema in schemas:
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert not keywords(schema) & (REFERENCES | {"anyOf"})
        assert not set(schema) & COMBINATORS
    arguments = schemas[0]["properties"]
    assert all(isinstance(argument["type"], str) for argument in arguments.values())
    assert "target_group_id" in schemas[0]["required"]
    assert not set(arguments) & {"runtime", "progress", "confirmation", "ctx", "confirm", "phrase", "force"}


def on_the_wire(listed: ListToolsResult) -> int:
    """Count the bytes of a list of tools."""
    fields = listed.model_dump(mode="json", by_alias=True, exclude_none=True)
    return len(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.parametrize("local_files", [True, False], ids=["here", "remote"])
async def test_the_list_of_tools_is_small(era: str, connect: "Connect", *, local_files: bool) -> None:
    async with connect(era, local_files=local_files) as client:
        listed = await client.list_tools()
    of_the_api = [tool for tool in listed.tools if tool.name in OF_THE_API]
    assert on_the_wire(listed) <= TOOLS_BYTES_MAX
    assert len(of_the_api) == len(OF_THE_API)
    assert on_the_wire(listed.model_copy(update={"tools": of_the_api})) <= OF_THE_API_BYTES_MAX


async def test_the_server_says_who_it_is_and_how_it_is_used_in_five_lines(era: str, connect: "Connect") -> None:
    async with connect(era) as client:
        info, instructions = client.server_info, client.instructions
    assert info is not None
    assert (info.name, info.title, info.version) == ("recontact-mcp", "Recontacts", version("recontact-mcp"))
    assert instructions is not None
    assert len(instructions.splitlines()) <= 5


async def test_the_two_eras_speak_their_own_protocol(connect: "Connect") -> None:
    async with connect("auto") as client:
        modern = client.protocol_version
    async with connect("legacy") as client:
        legacy = client.protocol_version
    assert (modern, legacy) == ("2026-07-28", "2025-11-25")


async def test_modern_clients_may_keep_the_lists_for_an_hour(connect: "Connect") -> None:
    async with connect("auto") as client:
        tools, prompts = await client.list_tools(), await client.list_prompts()
        templates = await client.list_resource_templates()
    hints = [
        (tools.ttl_ms, tools.cache_scope),
        (prompts.ttl_ms, prompts.cache_scope),
        (templates.ttl_ms, templates.cache_scope),
    ]
    assert hints == [(LISTS_FRESH_MS, "public")] * 3


async def test_every_template_of_the_uri_builder_is_listed(era: str, connect: "Connect") -> None:
    async with connect(era) as client:
        templates = (await client.list_resource_templates()).resource_templates
        resources = (await client.list_resources()).resources
    assert {(template.uri_template, template.mime_type) for template in templates} == {
        (uris.OVERVIEW, "application/json"),
        (uris.UPLOAD_JOB, "application/json"),
        (uris.REMOVAL_JOB, "application/json"),
        (uris.UPLOAD_FILE, "text/csv"),
        (uris.MISSING, "text/csv"),
        (uris.RESPONDENTS, "text/csv"),
        (uris.DIFFERENCES, "text/csv"),
        (uris.REPLACEMENT, "application/json"),
        (uris.SNAPSHOT, "text/csv"),
        (uris.PLAN, "application/json"),
        (uris.AUDIT, "application/json"),
    }
    assert all(template.title and template.description for template in templates)
    assert [(resource.uri, resource.mime_type) for resource in resources] == [(uris.WHOLE_AUDIT, "application/json")]
    assert all(resource.title and resource.description for resource in resources)


async def test_the_prompt_leads_through_the_whole_workflow(era: str, connect: "Connect") -> None:
    async with connect(era) as client:
        [prompt] = (await client.list_prompts()).prompts
        bare = await client.get_prompt("recontact_a_survey", {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1"})
        given = await client.get_prompt(
            "recontact_a_survey", {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1", "path": "wave1.csv"}
        )
    assert (prompt.name, prompt.title) == ("recontact_a_survey", "Recontact a survey")
    assert [(one.name, one.required) for one in prompt.arguments or []] == [("target_group_id", True), ("path", False)]
    [words] = [message.content.text for message in bare.messages if message.content.type == "text"]
    steps = [line for line in words.splitlines() if line[:1].isdigit()]
    assert [step.partition(".")[0] for step in steps] == ["1", "2", "3", "4", "5", "6", "7"]
    assert all(operation.name in words for operation in catalog(local_files=True) if operation.name in PROMPTED)
    assert "The file with the IDs is wave1.csv." in given.model_dump_json()
    assert "The file with the IDs is" not in words


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param("no_such_prompt", {"path": "canary"}, id="unknown prompt"),
        pytest.param("recontact_a_survey", {"path": "canary"}, id="missing argument"),
    ],
)
async def test_a_prompt_that_cannot_be_made_is_an_invalid_parameter(
    era: str, connect: "Connect", name: str, arguments: dict[str, str]
) -> None:
    async with connect(era) as client:
        with pytest.raises(MCPError) as caught:
            await client.get_prompt(name, arguments)
    assert caught.value.error.code == INVALID_PARAMS
    assert "canary" not in caught.value.error.model_dump_json()


PROMPTED = {
    "check_recontact_readiness",
    "preview_upload",
    "upload_recontacts",
    "get_upload_job",
    "get_recontact_overview",
    "remove_all_recontacts",
}


@pytest.mark.sqlite_only(reason="the data directory shows whether something was opened")
async def test_a_client_that_only_lists_opens_nothing(era: str, connect: "Connect", settings: Settings) -> None:
    async with connect(era) as client:
        await client.list_tools()
        await client.list_prompts()
        await client.list_resource_templates()
    assert not (settings.data_dir / LEDGER_FILE).exists()
    assert not settings.data_dir.exists()
