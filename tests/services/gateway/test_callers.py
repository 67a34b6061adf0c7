"""Callers: keys are looked up without a query, and refused soon after they are revoked, in every process."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import make_mocked_request

from libs.contracts.faults import Code, Fault
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from services.gateway.directory import keys, passwords, people
from services.gateway.directory.callers import Callers
from services.gateway.directory.signing_in.standing import STANDINGS, Standing
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def process(database):
    """The callers as one gateway process knows them."""
    changes = Changes(database)
    callers = Callers(database, changes)
    async with reading(changes):
        yield callers


@asynccontextmanager
async def reading(changes: Changes):
    task = asyncio.create_task(changes.run())
    await until(lambda: changes.fresh)
    try:
        yield
    finally:
        task.cancel()


def asking(key: str, scheme: str = "Bearer"):
    return make_mocked_request("GET", "/", headers={"Authorization": f"{scheme} {key}"})


async def new_key(database) -> keys.NewKey:
    async with database.transaction() as connection:
        workspace = await people.make_workspace(connection, "Callers")
        return await keys.create(connection, workspace.id, name="test")


async def test_a_key_opens_its_workspace(database):
    made = await new_key(database)
    async with process(database) as callers:
        for scheme in ("Bearer", "bearer"):
            caller = await callers.of(asking(made.secret, scheme))
            assert (caller.workspace_id, caller.key_id) == (made.key.workspace_id, made.key.id)


async def test_a_known_key_costs_no_query(database, databases, monkeypatch):
    monkeypatch.setattr("libs.postgres.changes.FRESH_SECONDS", 60.0)
    made = await new_key(database)
    own = await Database.connect(databases.dsn("gateway"), schema="gateway", pool_size=1)
    changes = Changes(database)
    callers = Callers(own, changes)
    await changes.read()
    before = await callers.of(asking(made.secret))
    await own.close()
    assert await callers.of(asking(made.secret)) == before


async def test_a_revoked_key_is_refused_by_every_process_within_a_second(database):
    made = await new_key(database)
    async with process(database) as here, process(database) as there:
        await asyncio.gather(here.of(asking(made.secret)), there.of(asking(made.secret)))
        async with database.transaction() as connection:
            await keys.revoke(connection, made.key.id)
        await asyncio.sleep(1.0)
        for callers in (here, there):
            with pytest.raises(Fault) as refused:
                await callers.of(asking(made.secret))
            assert refused.value.code is Code.UNAUTHORIZED


async def test_a_key_that_was_refused_is_accepted_soon_after_it_is_added(database):
    secret = keys.mint()
    async with process(database) as callers:
        with pytest.raises(Fault):
            await callers.of(asking(secret))
        async with database.transaction() as connection:
            workspace = await people.make_workspace(connection, "Callers")
            await keys.adopt(connection, workspace.id, secret, name="late")
        await asyncio.sleep(1.0)
        assert (await callers.of(asking(secret))).workspace_id == workspace.id


async def test_who_is_logged_in_is_doubted_and_refused_within_a_second_of_a_new_password(database):
    async with database.transaction() as connection:
        workspace = await people.make_workspace(connection, "Callers")
        account = await people.make_account(connection, "caller@example.test")
        await people.add_member(connection, workspace.id, account.id, "member")
    standing, doubted = Standing(account.id, workspace.id, 1), []
    changes = Changes(database)
    changes.watch(STANDINGS, doubted.append)
    async with process(database) as callers, reading(changes):
        caller = await callers.of_standing(standing)
        assert caller
        assert (caller.workspace_id, caller.account_id, caller.logged_in) == (workspace.id, account.id, True)
        assert await callers.still_valid(caller.key_hash)
        async with database.transaction() as connection:
            await people.set_password(connection, account.id, passwords.hashed("correct horse"))
        await asyncio.sleep(1.0)
        assert not await callers.still_valid(caller.key_hash)
        assert await callers.of_standing(standing) is None
        await until(lambda: bool(doubted))
    assert doubted == [caller.key_hash]  # what its streams are found by


async def test_passwords_that_are_changed_at_once_end_a_generation_each(database):
    async with database.transaction() as connection:
        workspace = await people.make_workspace(connection, "Callers")
        account = await people.make_account(connection, "twice@example.test")
        await people.add_member(connection, workspace.id, account.id, "member")
    ended: list[str] = []
    changes = Changes(database)
    changes.watch(STANDINGS, ended.append)

    async def change() -> None:
        async with database.transaction() as connection:
            await people.set_password(connection, account.id, "hash")

    async with reading(changes):
        await asyncio.gather(change(), change(), change())
        await until(lambda: len(ended) == 3)
    assert sorted(ended) == [Standing(account.id, workspace.id, n).text for n in (1, 2, 3)]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "pv_alone"])
async def test_other_credentials_are_none(database, header):
    async with process(database) as callers:
        with pytest.raises(Fault) as refused:
            await callers.of(make_mocked_request("GET", "/", headers={"Authorization": header}))
        assert refused.value.code is Code.UNAUTHORIZED
