"""OpenAPI documents (3.0 and 3.1): their operations as tools.

A parameter keeps its name and place; a JSON body is one argument, `body`. What the document refers to within itself
comes along as `$defs`; it refers to nothing else.
"""

import re
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urljoin

import msgspec
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.contracts.tools import Http, Method, Offered, Place
from services.runner.tools.references import References, mapping, wrong

_METHODS = ("get", "put", "post", "delete", "head", "patch")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
BODY = "body"
# Of all schemas that are listed at once.
_LARGEST_LIST = 16 * 1024 * 1024


class Operation(Struct, frozen=True):
    """`path` is below the server's address."""

    id: str
    path: str
    method: str
    spec: dict[str, Any]
    shared: list[Any]
    servers: list[Any]


class Document:
    """Raises Fault INVALID for what is no such document."""

    def __init__(self, document: dict[str, Any], url: str = "") -> None:
        if not str(document.get("openapi", "")).startswith("3."):
            raise wrong("This is no OpenAPI 3 document: expected openapi: 3.x.")
        self._document, self._url, self._references = document, url, References(document)

    def offered(self) -> list[Offered]:
        """Every operation that can be a tool. Raises Fault TOO_LARGE where they are too much to be listed."""
        offered: list[Offered] = []
        size = 0
        for operation in self._operations():
            if (offer := self._perhaps(operation)) is None:
                continue
            offered.append(offer)
            size += len(msgspec.json.encode(offer))
            if size > _LARGEST_LIST:
                message = "The document's operations are too many to be listed: name the one wanted by its operationId."
                raise Fault(Code.TOO_LARGE, message, field="document")
        return offered

    def operation(self, id: str) -> Operation:
        known: list[str] = []
        for operation in self._operations():
            if operation.id == id:
                return operation
            known.append(operation.id)
        raise wrong(f"There is no operation {id!r}: the document has {', '.join(known[:50]) or 'none'}.")

    def request(self, operation: Operation, server: str) -> Http:
        places: dict[str, Place] = {}
        for parameter in self._parameters(operation):
            places[parameter["name"]] = parameter["in"]
        if self._body(operation) is not None:
            places[BODY] = "body"
        base = server or self._server(operation)
        url = f"{base.rstrip('/')}/{operation.path.lstrip('/')}"
        return Http(cast("Method", operation.method.upper()), url, places)

    def offer(self, operation: Operation) -> Offered:
        """The operation with the schema of its arguments."""
        properties: dict[str, Any] = {}
        required: list[str] = []
        for parameter in self._parameters(operation):
            name, schema = parameter["name"], dict(_schema_of(parameter))
            if "description" in parameter:
                schema.setdefault("description", parameter["description"])
            properties[name] = schema
            if parameter.get("required") or parameter["in"] == "path":
                required.append(name)
        if (body := self._body(operation)) is not None:
            properties[BODY] = _schema_of(body)
            required += [BODY] * bool(self._references.resolved(operation.spec["requestBody"]).get("required"))
        schema = self._references.complete({"type": "object", "properties": properties, "required": required})
        said = operation.spec.get("description") or operation.spec.get("summary") or ""
        return Offered(operation.id, str(said), schema)

    def _perhaps(self, operation: Operation) -> Offered | None:
        try:
            return self.offer(operation)
        except Fault:
            return None

    def _operations(self) -> Iterator[Operation]:
        for path, raw in mapping(self._document.get("paths")).items():
            item = self._references.resolved(raw)
            for method in _METHODS:
                if isinstance(spec := item.get(method), dict):
                    id = str(spec.get("operationId") or _NOT_IN_NAMES.sub("_", f"{method}_{path}").strip("_"))
                    yield Operation(id, str(path), method, spec, _items(item, "parameters"), self._servers(spec, item))

    def _servers(self, *holders: dict[str, Any]) -> list[Any]:
        """The operation's own, its path's, or the document's."""
        return next((servers for holder in (*holders, self._document) if (servers := _items(holder, "servers"))), [])

    def _parameters(self, operation: Operation) -> list[dict[str, Any]]:
        """An operation's own go before those of its path; cookies are nobody's to set."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for raw in (*operation.shared, *_items(operation.spec, "parameters")):
            parameter = self._references.resolved(raw)
            name, place = parameter.get("name"), parameter.get("in")
            if isinstance(name, str) and place in ("path", "query", "header"):
                found[name, place] = parameter
        return list(found.values())

    def _body(self, operation: Operation) -> dict[str, Any] | None:
        content = mapping(self._references.resolved(operation.spec.get("requestBody") or {}).get("content"))
        if not content:
            return None
        for kind, body in content.items():
            if "json" in str(kind):
                return mapping(body)
        raise wrong(f"{operation.id} takes a body that is no JSON ({', '.join(map(str, content))}).")

    def _server(self, operation: Operation) -> str:
        server = mapping(operation.servers[0]) if operation.servers else {}
        url = str(server.get("url") or "/")
        for name, variable in mapping(server.get("variables")).items():
            url = url.replace(f"{{{name}}}", str(mapping(variable).get("default", "")))
        joined = urljoin(self._url, url)
        if "://" not in joined:
            raise wrong("The document names no server: give its address as `server`.")
        return joined


def _schema_of(holder: dict[str, Any]) -> dict[str, Any]:
    """Of a parameter or a body; one may stand under a media type."""
    for body in mapping(holder.get("content")).values():
        return mapping(mapping(body).get("schema"))
    return mapping(holder.get("schema"))


def _items(holder: dict[str, Any], name: str) -> list[Any]:
    """A list of it, where it has one."""
    value = holder.get(name)
    return value if isinstance(value, list) else []
