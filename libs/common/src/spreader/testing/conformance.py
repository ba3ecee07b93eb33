"""Conformance: whether the answers of a service are as its OpenAPI document says. Every request that a test makes
through a checked client is also a test of the document."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
from fastapi import FastAPI
from jsonschema_rs import Draft202012Validator

from spreader.http.openapi import JSON, operations
from spreader.http.problems import MEDIA_TYPE

WITHOUT_OPERATION = frozenset({401, 404, 405})
"""The statuses of an answer to a request that no operation takes."""
_PARAMETER = re.compile(r"\\\{\w+\\\}")
_IS_JSON = frozenset({JSON, MEDIA_TYPE})


@dataclass
class Conformance:
    """The answers that a document permits. Each object must have only the members that its schema names, so that a
    member without documentation is found."""

    document: Mapping[str, Any]
    prefix: str = "/api/"
    """Other paths, such as `/metrics`, are not part of the API."""
    _validators: dict[tuple[str, int], Draft202012Validator] = field(default_factory=dict, init=False)

    def objection(self, method: str, path: str, status: int, media_type: str, body: bytes | None) -> str | None:
        """Why the answer is not as the document says. None: it is.

        `body` is None if it is a stream, which is not compared.
        """
        if not path.startswith(self.prefix):
            return None
        found = self._operation(method, path)
        if found is None:
            return None if status in WITHOUT_OPERATION else f"{method} {path} answered {status}, but is not documented"
        name, responses = found
        response = responses.get(str(status))
        if response is None:
            documented = ", ".join(responses)
            return f"{name} answered {status}, but documents only {documented}: add it to the route's `problems`"
        return self._content_objection(name, status, response, media_type, body)

    def check(self, method: str, path: str, status: int, media_type: str, body: bytes | None) -> None:
        objection = self.objection(method, path, status, media_type, body)
        assert objection is None, objection

    def _content_objection(
        self, name: str, status: int, response: Mapping[str, Any], media_type: str, body: bytes | None
    ) -> str | None:
        content, media_type = response.get("content", {}), media_type.split(";")[0]
        if not content:
            return f"{name} answered with a body, but documents none" if body else None
        if media_type not in content:
            return f"{name} answered with {media_type or 'no media type'}, but documents only {', '.join(content)}"
        if body is None or media_type not in _IS_JSON:
            return None
        validator = self._validators.get((name, status))
        if validator is None:
            validator = self._validators[(name, status)] = self.validator(content[media_type]["schema"])
        errors = [f"at {error.instance_path}: {error.message}" for error in validator.iter_errors(json.loads(body))]
        return (
            f"{name}: the answer is not as documented: {'; '.join(errors)[:1500]}\n{body[:1500]!r}" if errors else None
        )

    def validator(self, schema: Mapping[str, Any]) -> Draft202012Validator:
        return Draft202012Validator({**schema, "components": self._closed}, validate_formats=True)

    @cached_property
    def _closed(self) -> Any:
        """The components. Their objects allow no member that is not named."""
        return _closed(copy.deepcopy(self.document["components"]))

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], str, str, Mapping[str, Any]]]:
        return [
            (re.compile(_PARAMETER.sub("[^/]+", re.escape(path)) + "$"), method, path, operation["responses"])
            for path, method, operation in operations(self.document)
        ]

    def _operation(self, method: str, path: str) -> tuple[str, Mapping[str, Any]] | None:
        for pattern, documented_method, name, responses in self._paths:
            if method == documented_method and pattern.match(path):
                return f"{method} {name}", responses
        return None


def checked_client(
    app: FastAPI, base_url: str, headers: Mapping[str, str], conformance: Conformance
) -> httpx.AsyncClient:
    """A client of the app. It fails at each answer that is not as documented."""

    async def check(response: httpx.Response) -> None:
        media_type = response.headers.get("content-type", "")
        is_stream = media_type.split(";")[0] not in {*_IS_JSON, ""}
        body = None if is_stream else await response.aread()
        request = response.request
        conformance.check(request.method, request.url.path, response.status_code, media_type, body)

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport, base_url=base_url, headers=dict(headers), event_hooks={"response": [check]}
    )


def undocumented(document: Mapping[str, Any]) -> Iterator[str]:
    """What is missing in the document's answers: a schema that says something, or an example that fits it."""
    conformance = Conformance(document, prefix="")
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                where = f"{method} {path} {status} {media_type}"
                yield from _content_gaps(conformance, where, media_type, content)


def _content_gaps(conformance: Conformance, where: str, media_type: str, content: Mapping[str, Any]) -> Iterator[str]:
    schema = resolved(content.get("schema", {}), conformance.document)
    if media_type not in _IS_JSON:
        return
    if not {"properties", "anyOf", "oneOf", "items"} & schema.keys():
        yield f"{where}: the schema says nothing about the answer. Give the route its `shape`, such as a TypedDict"
        return
    examples = [content["example"]] if content.get("example") is not None else schema.get("examples", [])
    if not examples:
        yield f"{where}: there is no example. Give the route a `response`"
    validator = conformance.validator(content["schema"])
    for example in examples:
        for error in validator.iter_errors(example):
            yield f"{where}: the example is not as the schema says, at {error.instance_path}: {error.message}"


def resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema, without a reference at its top."""
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    return document["components"]["schemas"][name] if name else schema


def _closed(node: Any) -> Any:
    if isinstance(node, dict):
        if "properties" in node and "additionalProperties" not in node and node.get("type") == "object":
            node["additionalProperties"] = False
        for part in node.values():
            _closed(part)
    elif isinstance(node, list):
        for part in node:
            _closed(part)
    return node
