"""Workflows, and what their runs came to."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from services.gateway.dialects.klu.wire.pages import CAMEL, Flag


class TriggerWorkflow(Struct, frozen=True, kw_only=True):
    """`filter`, `metadata_filter` and `cache` say nothing to steps, and are taken as they come."""

    input: str | dict[str, Any] | None = None
    filter: Any = None
    metadata_filter: Any = None
    cache: Flag = None


class Workflow(Struct, frozen=True, kw_only=True, rename=CAMEL):
    """`app` is empty: a workflow belongs to none."""

    guid: str
    slug: str
    name: str
    app: str
    raw_yaml: str
    trigger: str
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class Block(Struct, frozen=True, kw_only=True):
    """A step of a run; `error` says to a person why it failed."""

    name: str
    type: str
    status: str
    output: dict[str, Any]
    error: str | None


class Triggered(Struct, frozen=True, kw_only=True):
    """`run` is the guid under which the result is asked for."""

    msg: str
    status: str
    blocks: list[Block]
    run: str


class MetaData(Struct, frozen=True, kw_only=True):
    status: str
    trigger: str
    error: str | None


class Run(Struct, frozen=True, kw_only=True):
    guid: str
    workflow: str
    meta_data: MetaData
    created_at: datetime
    updated_at: datetime


class Result(Struct, frozen=True, kw_only=True):
    """`result` is what the last step that was carried out came to; null while the run goes on."""

    result: Any
    status: str
    error: str | None


class Dataset(Struct, frozen=True, kw_only=True):
    """`blocks` are what each step came to, by its name."""

    final: Any
    blocks: dict[str, Any]
