"""OpenAPI 3.1, generated from the table of routes and the types that they answer.

Source: OpenAPI Specification 3.1.0; JSON Schema 2020-12.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

import hansa
from hansa.node.api.problems import CONTENT_TYPE
from hansa.node.api.rights import Right, name_holders
from hansa.node.api.routes import JSON, Parameter, Route
from hansa.sdk.answers import Problem

REF = "#/components/schemas/{name}"
EVERY_ROUTE = (400, 401, 417, 421, 429, 503)
"""Errors that any route may answer that asks who is there."""
OPEN_ROUTE = (417, 421, 503)
"""Errors of a route that does not ask."""


def build_document(routes: Sequence[Route], url: str = "") -> dict[str, Any]:
    """Build the document; `url` is that of the node, where it is known."""
    types = _list_types(routes)
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    schema_of = dict(zip(map(_name, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _describe(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hansa",
            "version": hansa.__version__,
            "summary": "A node of a permissioned ledger for money.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url or "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "api_key": {"type": "http", "scheme": "bearer"},
                "certificate": {"type": "mutualTLS"},
            },
        },
    }


def _list_types(routes: Iterable[Route]) -> list[Any]:
    """List every type of the routes once."""
    found: list[Any] = [Problem]
    for route in routes:
        found += [kind for _, _, kind in _list_answers(route)]
        found += [kind for _, kind in route.bodies]
        found += [parameter.kind for parameter in route.parameters]
    unique = {_name(kind): kind for kind in found if kind is not bytes}
    return list(unique.values())


def _name(kind: Any) -> str:  # noqa: ANN401 - a type expression
    return repr(kind)


def _list_answers(route: Route) -> list[tuple[int, str, Any]]:
    """List a route's good answers: status, media type, type; `bytes` for no JSON."""
    if isinstance(route.answer, str):
        return [(200, route.answer, bytes), *route.also]
    return [(200, JSON, route.answer), *route.also]


def _describe(route: Route, schema_of: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, media, kind in _list_answers(route):
        found = responses.setdefault(
            str(status), {"description": HTTPStatus(status).phrase, "content": {}}
        )
        _add_content(found["content"], media, kind, schema_of)
    errors = (
        *(OPEN_ROUTE if route.right is None else EVERY_ROUTE),
        *route.errors,
    )
    for status in sorted(set(errors)):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {CONTENT_TYPE: {"schema": schema_of[_name(Problem)]}},
        }
    operation: dict[str, Any] = {
        "operationId": getattr(route.handler, "__name__", route.path),
        "summary": route.summary,
        "description": _describe_right(route.right),
        "responses": responses,
    }
    if route.right is not None:
        operation["security"] = [{}, {"api_key": []}, {"certificate": []}]
    if route.parameters:
        operation["parameters"] = [
            _describe_parameter(parameter, schema_of) for parameter in route.parameters
        ]
    if route.bodies:
        content: dict[str, Any] = {}
        for media, kind in route.bodies:
            _add_content(content, media, kind, schema_of)
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _add_content(
    content: dict[str, Any],
    media: str,
    kind: Any,  # noqa: ANN401 - a type expression
    schema_of: dict[str, Any],
) -> None:
    """Add a body's type; several of one media type stand side by side."""
    if kind is bytes:
        content[media] = {}
        return
    schema = schema_of[_name(kind)]
    if media in content:
        earlier = content[media]["schema"]
        schema = {"oneOf": [*earlier.get("oneOf", [earlier]), schema]}
    content[media] = {"schema": schema}


def _describe_parameter(parameter: Parameter, schema_of: dict[str, Any]) -> dict[str, Any]:
    schema = dict(schema_of[_name(parameter.kind)])
    if parameter.default is not None:
        schema["default"] = parameter.default
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "description": parameter.text,
        "schema": schema,
    }


def _describe_right(right: Right | None) -> str:
    if right is None:
        return "Answered to everybody."
    return f"Right `{right}`: {name_holders(right)}."
