"""The documentation of the HTTP API as a page, made from its OpenAPI description, without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webui.views.render import render


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a request or response, or a parameter."""

    name: str
    type: str
    required: bool
    text: str


@dataclass(frozen=True, slots=True)
class _Operation:
    """One HTTP method of a path."""

    method: str
    path: str
    text: list[str]  # paragraphs
    parameters: list[_Field]
    request: list[_Field]
    status: str  # status of a success
    response: str  # name of its object; "" without one


def manual_page(openapi: dict[str, Any]) -> str:
    """The page. `openapi`: the description (OpenAPI 3.1) of the application mounted at `/api`."""
    schemas = openapi["components"]["schemas"]
    operations = [
        _operation(method.upper(), f"/api{path}", one, schemas)
        for path, methods in openapi["paths"].items()
        for method, one in methods.items()
    ]
    objects = {
        name: (schema.get("description", ""), _fields(schema))
        for name, schema in sorted(schemas.items())
        if schema.get("properties") and not name.endswith("Request") and "Validation" not in name
    }
    errors = {
        status: reply["description"]
        for methods in openapi["paths"].values()
        for one in methods.values()
        for status, reply in one["responses"].items()
        if not status.startswith("2")
    }
    about = openapi["info"]["description"].split("\n\n")
    return str(render("manual.html", "en", about=about, operations=operations, objects=objects, errors=errors))


def _operation(method: str, path: str, one: dict[str, Any], schemas: dict[str, Any]) -> _Operation:
    body = _schema_of(one.get("requestBody", {}))
    status = next(status for status in one["responses"] if status.startswith("2"))
    return _Operation(
        method=method,
        path=path,
        text=[" ".join(part.split()) for part in one.get("description", "").split("\n\n")],
        parameters=[
            _Field(one["name"], _type(one["schema"]), one["required"], one.get("description", ""))
            for one in one.get("parameters", [])
        ],
        request=_fields(schemas.get(_type(body), {})),
        status=status,
        response=_type(_schema_of(one["responses"][status])),
    )


def _schema_of(content: dict[str, Any]) -> dict[str, Any]:
    """The schema of a JSON body."""
    schema: dict[str, Any] = content.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _fields(schema: dict[str, Any]) -> list[_Field]:
    required = schema.get("required", [])
    return [
        _Field(name, _type(one), name in required, one.get("description", ""))
        for name, one in schema.get("properties", {}).items()
    ]


def _type(schema: dict[str, Any]) -> str:
    """A type on one line: "list of Citation", "string or null", "one of answer, closest, none"."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if schema.get("type") == "array":
        return "list of " + _type(schema.get("items", {}))
    return str(schema.get("type", ""))
