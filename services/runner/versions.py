"""Versions: which one of an action runs, and what deploys them to environments or keeps them from running there.

The rule: what is deployed to an environment runs there until something else is. Where nothing ever was, the newest
version runs in the environment that counts where none is named, and nothing in the others.
"""

from uuid import UUID

from libs.contracts import actions
from libs.contracts.actions import Action, DeployVersion, DisableAction, GetAction, PageVersions, Version
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from libs.postgres import text
from libs.postgres.changes import Changes, changed
from libs.postgres.database import Connection, Database
from services.runner.actions import Actions
from services.runner.catalog import NAMES, Catalog
from services.runner.prompting.prompts import Prompting, Scripted
from services.runner.store import actions as stored
from services.runner.store import deployments

DEPLOYED, VERSION = "runner.deployed", "runner.version"
_LONGEST = 100


class Versions:
    """Those that run, cached."""

    def __init__(self, database: Database, changes: Changes, catalog: Catalog, prompting: Prompting) -> None:
        self._database, self._catalog, self._prompting = database, catalog, prompting
        self._deployed = changes.cache(DEPLOYED, self._load_deployed)
        self._versions = changes.cache(VERSION, self._load_version)

    async def chosen(
        self, workspace_id: UUID, action_id: UUID, environment: str | None, *, version_id: UUID | None = None
    ) -> Scripted:
        """The version of that id, or what runs in the environment.

        Raises Fault as Catalog.action does, NOT_FOUND for a version of another action's, INVALID where nothing is
        deployed, CONFLICT where it is disabled.
        """
        newest = await self._catalog.action(workspace_id, action_id)
        if version_id is not None:
            return await self._of(newest, version_id)
        deployed = await self._deployed.get(str(newest.id)) or {}
        place = environment or actions.PRODUCTION
        if place not in deployed:
            if place == actions.PRODUCTION:
                return newest
            raise _nothing_deployed(place)
        version_id = deployed[place]
        if version_id is None:
            raise Fault(Code.CONFLICT, f"This action is disabled in {place}: deploy one of its versions.")
        return newest if version_id == newest.action.version_id else await self._version(version_id)

    async def _of(self, newest: Scripted, version_id: UUID) -> Scripted:
        version = await self._version(version_id)
        if version.action.id != newest.action.id:
            raise not_found("version", version_id)
        return version

    async def _version(self, id: UUID) -> Scripted:
        version = await self._versions.get(str(id))
        if version is None:
            raise not_found("version", id)
        return version

    async def _load_deployed(self, action_id: str) -> dict[str, UUID | None]:
        return await deployments.of(self._database, UUID(action_id))

    async def _load_version(self, id: str) -> Scripted | None:
        action = await stored.as_of(self._database, UUID(id))
        return action and await self._prompting.script(action)


class Deploying:
    """What `rpc.runner.actions.{versions,deploy,disable}` answer."""

    def __init__(self, database: Database, catalog: Catalog, actions: Actions) -> None:
        self._database, self._catalog, self._actions = database, catalog, actions

    async def page(self, asked: PageVersions) -> Page[Version]:
        await self._actions.get(GetAction(asked.workspace_id, asked.action_id))
        return await deployments.page(self._database, asked)

    async def deploy(self, asked: DeployVersion) -> Version:
        """The version as it is deployed now. Raises Fault NOT_FOUND for an action or version that is none."""
        place = _environment(asked.environment)
        await self._actions.get(GetAction(asked.workspace_id, asked.action_id))
        async with self._catalog.changing() as connection:
            version = await deployments.found(connection, asked)
            await deployments.deploy(connection, asked.action_id, place, version.id, by=asked.deployed_by)
            await _changed(connection, asked.workspace_id, asked.action_id)
            return await deployments.found(connection, asked)

    async def disable(self, asked: DisableAction) -> Action:
        """In the environment named; without one in all that have had a version, and in production."""
        action = await self._actions.get(GetAction(asked.workspace_id, asked.action_id))
        async with self._catalog.changing() as connection:
            if asked.environment is not None:
                places = {_environment(asked.environment)}
            else:
                places = {actions.PRODUCTION, *await deployments.of(connection, action.id)}
            await deployments.disable(connection, action.id, sorted(places))
            await _changed(connection, asked.workspace_id, action.id)
        return action


async def _changed(connection: Connection, workspace_id: UUID, action_id: UUID) -> None:
    await changed(connection, DEPLOYED, str(action_id))
    await changed(connection, NAMES, str(workspace_id))


def _environment(name: str) -> str:
    name = text.clean(name).strip()
    if not 0 < len(name) <= _LONGEST:
        raise Fault(Code.INVALID, f"Name an environment in 1 to {_LONGEST} characters.", field="environment")
    return name


def _nothing_deployed(place: str) -> Fault:
    message = f"Nothing of this action is deployed to {place!r}: deploy a version there, or leave the environment out."
    return Fault(Code.INVALID, message, field="environment")
