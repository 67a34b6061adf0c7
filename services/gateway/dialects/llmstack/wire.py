"""LLMStack's JSON as Structs: requests as its page and its servers of several versions take them, replies as the union
of what these answer.
"""

from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import UNSET, Struct, UnsetType

S = TypeVar("S")


class Error(Struct, frozen=True):
    detail: str
    errors: list[str]


class Errors(Struct, frozen=True):
    """The last line of a stream that failed."""

    errors: list[str]


class CreateApp(Struct, frozen=True, kw_only=True):
    """`model` is the name of a model or its id; without one the app follows the workspace's default."""

    name: str
    description: str | None = None
    prompt: str | None = None
    model: str | None = None
    datasources: list[str] | None = None


class UpdateApp(Struct, frozen=True, kw_only=True):
    """What is not sent stays as it is."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    prompt: str | UnsetType = UNSET
    model: str | UnsetType | None = UNSET
    datasources: list[str] | UnsetType = UNSET


class App(Struct, frozen=True, kw_only=True):
    uuid: str
    name: str
    description: str
    prompt: str | None
    model: str | None
    datasources: list[str]
    created_at: datetime
    updated_at: datetime


class RunApp(Struct, frozen=True, kw_only=True):
    """Later versions name the session in the body."""

    input: dict[str, Any]
    stream: bool | None = False
    session_id: str | None = None


class Session(Struct, frozen=True):
    id: str | None


class Opening(Struct, frozen=True, rename={"run_id": "_id"}):
    """The first line of a stream: the reply without its output."""

    session: Session
    run_id: str


class RunReply(Struct, frozen=True, rename={"run_id": "_id"}):
    session: Session
    output: str
    run_id: str


class CreateDatasource(Struct, frozen=True, kw_only=True):
    """`type` is a slug, or the number that the first versions gave it."""

    name: str
    type: str | int | None = None
    type_slug: str | None = None


class UpdateDatasource(Struct, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET


class TypeDetail(Struct, frozen=True):
    id: int
    name: str
    description: str


class DatasourceType(Struct, frozen=True):
    id: int
    slug: str
    name: str
    description: str


class Datasource(Struct, frozen=True, kw_only=True):
    uuid: str
    name: str
    type: str
    type_slug: str
    type_detail: TypeDetail
    created_at: datetime
    updated_at: datetime


class EntryData(Struct, frozen=True, kw_only=True):
    """One of `content`, `url` (or `urls`) and `file`; what is empty is not given."""

    name: str | None = None
    content: str | None = None
    url: str | list[str] | None = None
    urls: str | list[str] | None = None
    file: str | None = None


class AddEntry(Struct, frozen=True, kw_only=True):
    """`source_data` is what later versions call `entry_data`."""

    entry_data: EntryData | None = None
    source_data: EntryData | None = None
    entry_metadata: dict[str, Any] | None = None


class Added(Struct, frozen=True, kw_only=True):
    """`uuid` and `job_id` are the first entry's."""

    success: bool
    uuid: str
    job_id: str
    status: str
    entries: list[str]


class OfDatasource(Struct, frozen=True):
    uuid: str


class Entry(Struct, Generic[S], frozen=True, kw_only=True):
    """`datasource` is told in full in lists."""

    uuid: str
    datasource: S
    name: str
    config: dict[str, Any]
    size: int
    status: str
    error: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class TextContent(Struct, frozen=True):
    content: str
    metadata: dict[str, Any]
