"""Schemas as hosts can take them: nothing referenced, nothing said twice, unions of null folded."""

from collections.abc import Mapping
from typing import Any, cast

Schema = dict[str, Any]


def inlined(schema: Mapping[str, Any]) -> Schema:
    """Return *schema* without `$ref`, `$defs`, titles, or `anyOf` that only adds null.

    Some hosts refuse references, and one top-level combinator breaks the whole session of others.
    """
    definitions = cast("Mapping[str, Schema]", schema.get("$defs", {}))
    return cast("Schema", _slim({key: value for key, value in schema.items() if key != "$defs"}, definitions))


def _slim(node: object, definitions: Mapping[str, Schema]) -> object:
    if isinstance(node, list):
        return [_slim(item, definitions) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    fields = cast("Schema", node)
    if "$ref" in fields:
        fields = {**definitions[str(fields["$ref"]).rpartition("/")[2]], **fields}
    slim = {
        key: _properties(value, definitions) if key == "properties" else _slim(value, definitions)
        for key, value in fields.items()
        if key not in {"title", "$ref"}
    }
    return _folded(slim)


def _properties(properties: Mapping[str, object], definitions: Mapping[str, Schema]) -> Schema:
    """Slim each property; a property may itself be called title."""
    return {name: _slim(value, definitions) for name, value in properties.items()}


def _folded(node: Schema) -> Schema:
    """Turn `anyOf: [X, null]` into X with null among its types, and drop a default that says nothing."""
    if "anyOf" in node:
        arms = cast("list[Schema]", node.pop("anyOf"))
        real = [arm for arm in arms if arm.get("type") != "null"]
        node = {**real[0], **node, "type": [real[0]["type"], "null"]}
    if node.get("default", ...) is None:
        del node["default"]
    return node


def arguments_schema(schema: Mapping[str, Any]) -> Schema:
    """Return an input schema: what may be left out is left out, so null need not be said."""
    slim = inlined(schema)
    for field in cast("dict[str, Schema]", slim["properties"]).values():
        if isinstance(field.get("type"), list):
            field["type"] = field["type"][0]
    return slim


def result_schema(schema: Mapping[str, Any]) -> Schema:
    """Return an output schema of names and types: what the fields mean, their names and the tool's text say.

    What is inside an object of an object shows in the answer, and so does the type of what is there but sometimes: in
    every list of tools they would be a quarter of all.
    """
    slim = cast("Schema", _bare(inlined(schema)))
    fields = cast("dict[str, Schema]", slim.get("properties", {}))
    return {**slim, "properties": {name: _closed(field) for name, field in fields.items()}}


def _closed(field: Schema) -> Schema:
    """Say that a field is an object, or a list of objects, and no more; of one that may be null its name alone."""
    if isinstance(field.get("type"), list):
        return {}
    if field.get("type") == "object":
        return {"type": "object"}
    items = field.get("items", {})
    return {**field, "items": {"type": "object"}} if items.get("type") == "object" else field


def _bare(node: object) -> object:
    if isinstance(node, list):
        return [_bare(item) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    fields = cast("Schema", node)
    return {
        key: {name: _bare(field) for name, field in value.items()} if key == "properties" else _bare(value)
        for key, value in fields.items()
        if key not in {"description", "required"}
    }
