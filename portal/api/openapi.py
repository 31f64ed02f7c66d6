"""The OpenAPI 3.1 description, made from the declarations and types that serve the API: it cannot say anything else."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from portal.api.operations import Operation, Scope
from portal.api.problems import PROBLEM_CONTENT_TYPE, ProblemBody, ProblemType

VERSION = "1.0"
_REF = "#/components/schemas/{name}"
_PART = re.compile(r"\{([a-z_]+)\}")
_EVERY = (
    ProblemType.UNAUTHENTICATED,
    ProblemType.SCOPE_MISSING,
    ProblemType.NOT_FOUND,
    ProblemType.INVALID,
    ProblemType.TOO_MANY_REQUESTS,
    ProblemType.INTERNAL,
    ProblemType.UNAVAILABLE,
)
_OF_LISTS = (ProblemType.CURSOR_INVALID,)
_OF_WRITES = (
    ProblemType.MALFORMED,
    ProblemType.IDEMPOTENCY_KEY_MISSING,
    ProblemType.CONFLICT,
    ProblemType.IN_PROGRESS,
    ProblemType.TOO_LARGE,
    ProblemType.UNSUPPORTED_MEDIA_TYPE,
    ProblemType.IDEMPOTENCY_KEY_REUSED,
    ProblemType.REFUSED,
)

Document = dict[str, Any]


def describe(operations: Sequence[Operation]) -> Document:
    """Return the whole document as JSON values; operations keep their order."""
    types = _types(operations)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, Document] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schema_of, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kopeck API",
            "version": VERSION,
            "description": "Charged, received, split and transferred, to the kopeck. Amounts are whole kopecks, times UTC, "
            "dates those of the house's time zone; quantities are whole millionths where a name says so.",
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _security()},
        "tags": [{"name": tag} for tag in dict.fromkeys(one.tag for one in operations if one.tag)],
    }


def _types(operations: Iterable[Operation]) -> list[Any]:
    found: dict[Any, None] = {ProblemBody: None}
    for operation in operations:
        found |= dict.fromkeys([one for one in (operation.answer, operation.query, operation.body) if one is not None])
    return list(found)


def _operation(operation: Operation, schema_of: Mapping[Any, Document], components: Mapping[str, Any]) -> Document:
    answer = {"application/json": {"schema": schema_of[operation.answer]}}
    told: Document = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag] if operation.tag else [],
        "security": [{"key": []}, {"oauth2": [operation.scope.value]}],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation, schema_of, components)],
        "responses": {str(operation.status): {"description": "Done.", "content": answer}} | _problems(operation, schema_of),
    }
    if operation.is_write:
        told["parameters"] += [_IDEMPOTENCY_KEY, _DRY_RUN]
    else:
        told["responses"]["304"] = {"description": "The caller has this very answer (If-None-Match)."}
    if operation.body is not None:
        content: Document = {"schema": schema_of[operation.body]}
        bodies = [one for one in operation.examples if one.body is not None]
        if bodies:
            content["examples"] = {f"example{nth}": {"value": one.body, "summary": one.note} for nth, one in enumerate(bodies, 1)}
        told["requestBody"] = {"required": True, "content": {"application/json": content}}
    return told


_IDEMPOTENCY_KEY: Document = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[ -~]+$"},
    "description": "Repeats with the same key and content get the first answer again, marked Idempotency-Replayed.",
}
_DRY_RUN: Document = {
    "name": "dry_run",
    "in": "query",
    "schema": {"type": "boolean", "default": False},
    "description": "Do everything and take it back: the answer says what would have been done.",
}


def _path_parameters(operation: Operation) -> list[Document]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
            "description": operation.part_notes.get(name, ""),
        }
        for name in _PART.findall(operation.path)
    ]


def _query_parameters(operation: Operation, schema_of: Mapping[Any, Document], components: Mapping[str, Any]) -> list[Document]:
    name = schema_of[operation.query]["$ref"].rpartition("/")[2]
    schema = components[name]
    required = schema.get("required", [])
    return [
        {
            "name": field,
            "in": "query",
            "required": field in required,
            "schema": {key: value for key, value in one.items() if key != "description"},
            "description": one.get("description", ""),
        }
        for field, one in schema["properties"].items()
    ]


def _problems(operation: Operation, schema_of: Mapping[Any, Document]) -> Document:
    is_list = "cursor" in operation.query.__struct_fields__
    kinds = [*_EVERY, *(_OF_WRITES if operation.is_write else ()), *(_OF_LISTS if is_list else ())]
    content = {PROBLEM_CONTENT_TYPE: {"schema": schema_of[ProblemBody]}}
    by_status: dict[str, list[str]] = {}
    for kind in kinds:
        by_status.setdefault(str(kind.status), []).append(f"{kind.uri}: {kind.title.en}")
    return {status: {"description": "; ".join(texts), "content": content} for status, texts in sorted(by_status.items())}


def _security() -> Document:
    scopes = {scope.value: scope.value for scope in Scope}
    return {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key of the organisation."},
        "oauth2": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": scopes}}},
    }
