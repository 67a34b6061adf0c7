"""Skills, which the engine calls tools. A header's value goes in and never comes out."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType


class Skill(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a skill of its `type` does stands beside it: see docs/tools.md."""

    guid: str
    name: str
    description: str
    type: str
    parameters: dict[str, Any]
    headers: dict[str, str]
    timeout: float
    metadata: dict[str, Any]
    meta_data: dict[str, Any]
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime
    method: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    places: dict[str, str] | UnsetType = UNSET
    operation_id: str | UnsetType = UNSET
    server: str | UnsetType = UNSET
    tool: str | UnsetType = UNSET
    context: list[str] | UnsetType = UNSET
    limit: int | UnsetType = UNSET


class SkillKind(Struct, frozen=True, kw_only=True):
    """The fields of all types; a type knows some of them."""

    type: str | None = None
    method: str | None = None
    url: str | None = None
    places: dict[str, str] | None = None
    operation_id: str | None = None
    document: dict[str, Any] | None = None
    server: str | None = None
    tool: str | None = None
    context: list[str] | None = None
    limit: int | None = None


class CreateSkill(SkillKind, frozen=True, kw_only=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    headers: dict[str, str] | None = None
    timeout: float | None = None
    metadata: dict[str, Any] | None = None
    meta_data: dict[str, Any] | None = None


class UpdateSkill(SkillKind, frozen=True, kw_only=True):
    """What is missing or null stays as it is, and so does a header whose value is `…`."""

    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    headers: dict[str, str] | None = None
    timeout: float | None = None
    metadata: dict[str, Any] | None = None
    meta_data: dict[str, Any] | None = None


class Discover(SkillKind, frozen=True, kw_only=True):
    headers: dict[str, str] | None = None


class Offered(Struct, frozen=True):
    name: str
    description: str
    parameters: dict[str, Any]


class SetSkills(Struct, frozen=True):
    skills: list[str]
