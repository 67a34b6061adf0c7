"""OpenAPI documents (3.0 and 3.1): their operations as tools.

A parameter keeps its name and place; a JSON body is one argument, `body`. What the document refers to within itself
comes along as `$defs`; it refers to nothing else.
"""

import re
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urljoin

from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.contracts.tools import Http, Method, Offered, Place

_METHODS = ("get", "put", "post", "delete", "head", "patch")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_MOST_REFERENCES = 50
_DEEPEST = 100
BODY = "body"


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
            raise _wrong("This is no OpenAPI 3 document: expected openapi: 3.x.")
        self._document, self._url = document, url

    def offered(self) -> list[Offered]:
        """Every operation that can be a tool."""
        return [offer for operation in self._operations() if (offer := self._perhaps(operation)) is not None]

    def operation(self, id: str) -> Operation:
        known: list[str] = []
        for operation in self._operations():
            if operation.id == id:
                return operation
            known.append(operation.id)
        raise _wrong(f"There is no operation {id!r}: the document has {', '.join(known[:50]) or 'none'}.")

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
            required += [BODY] * bool(self._resolved(operation.spec["requestBody"]).get("required"))
        schema = self._with_definitions({"type": "object", "properties": properties, "required": required})
        said = operation.spec.get("description") or operation.spec.get("summary") or ""
        return Offered(operation.id, str(said), schema)

    def _perhaps(self, operation: Operation) -> Offered | None:
        try:
            return self.offer(operation)
        except Fault:
            return None

    def _operations(self) -> Iterator[Operation]:
        for path, raw in _mapping(self._document.get("paths")).items():
            item = self._resolved(raw)
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
            parameter = self._resolved(raw)
            name, place = parameter.get("name"), parameter.get("in")
            if isinstance(name, str) and place in ("path", "query", "header"):
                found[name, place] = parameter
        return list(found.values())

    def _body(self, operation: Operation) -> dict[str, Any] | None:
        content = _mapping(self._resolved(operation.spec.get("requestBody") or {}).get("content"))
        if not content:
            return None
        for kind, body in content.items():
            if "json" in str(kind):
                return _mapping(body)
        raise _wrong(f"{operation.id} takes a body that is no JSON ({', '.join(map(str, content))}).")

    def _server(self, operation: Operation) -> str:
        server = _mapping(operation.servers[0]) if operation.servers else {}
        url = str(server.get("url") or "/")
        for name, variable in _mapping(server.get("variables")).items():
            url = url.replace(f"{{{name}}}", str(_mapping(variable).get("default", "")))
        joined = urljoin(self._url, url)
        if "://" not in joined:
            raise _wrong("The document names no server: give its address as `server`.")
        return joined

    def _resolved(self, value: Any) -> dict[str, Any]:
        """The mapping itself, behind however many references."""
        for _ in range(_MOST_REFERENCES):
            if not isinstance(value, dict):
                break
            if "$ref" not in value:
                return value
            value = self._behind(value["$ref"])
        raise _wrong("A reference of the document leads nowhere.")

    def _behind(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise _wrong(f"The document refers to something outside of it: {reference!r}.")
        value: Any = self._document
        for part in reference[2:].split("/"):
            value = _mapping(value).get(part.replace("~1", "/").replace("~0", "~"))
        return value

    def _with_definitions(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema with what it refers to, which may refer to more."""
        definitions: dict[str, Any] = {}
        names: dict[str, str] = {}
        moved = self._moved(schema, names)
        while missing := [reference for reference, name in names.items() if name not in definitions]:
            for reference in missing:
                definitions[names[reference]] = self._moved(self._behind(reference), names)
        return {**moved, "$defs": definitions} if definitions else moved

    def _moved(self, value: Any, names: dict[str, str], depth: int = 0) -> Any:
        """With references to `$defs`, and 3.0's `nullable` as a type."""
        if depth > _DEEPEST:
            raise _wrong(f"A schema of the document is nested over {_DEEPEST} levels deep.")
        if isinstance(value, list):
            return [self._moved(item, names, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        if isinstance(reference := value.get("$ref"), str):
            name = names.setdefault(reference, _NOT_IN_NAMES.sub("_", reference.rpartition("/")[2]) + f"_{len(names)}")
            return {"$ref": f"#/$defs/{name}"}
        moved = {key: self._moved(item, names, depth + 1) for key, item in value.items() if key != "nullable"}
        if value.get("nullable") is True and isinstance(moved.get("type"), str):
            moved["type"] = [moved["type"], "null"]
        return moved


def _schema_of(holder: dict[str, Any]) -> dict[str, Any]:
    """Of a parameter or a body; one may stand under a media type."""
    for body in _mapping(holder.get("content")).values():
        return _mapping(_mapping(body).get("schema"))
    return _mapping(holder.get("schema"))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(holder: dict[str, Any], name: str) -> list[Any]:
    """A list of it, where it has one."""
    value = holder.get(name)
    return value if isinstance(value, list) else []


def _wrong(message: str) -> Fault:
    return Fault(Code.INVALID, message, field="document")
