"""The operator's commands, run as an operator runs them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from msgspec import structs

from libs.contracts import plans, workspaces
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from services.gateway.directory import clocks, passwords, people, store
from services.gateway.directory.admin import arguments
from services.gateway.directory.callers import digest
from services.gateway.plans.plans import Plans
from tests.services.gateway.conftest import run_admin

STARTER = ("starter", "Starter", 60, 500, 100, 2, 10, True)


async def has_password(database: Database, email: str, password: str) -> bool:
    async with database.acquire() as connection:
        account = await people.find_account(connection, email)
        hash = await store.password_hash(connection, account.id)
    return passwords.matches(password, hash or "")


@pytest.mark.asyncio
async def test_bootstrap_makes_everything_once_and_shows_the_key_once(admin, database):
    code, first, _ = await admin("bootstrap", "--email", "Ann@Example.test", "--workspace", "Ann's place")
    assert code == 0
    assert first["account"]["email"] == "ann@example.test"
    assert first["secret"].startswith("pv_")
    code, second, _ = await admin("bootstrap", "--email", "ann@example.test", "--workspace", "Ann's place")
    assert code == 0
    assert second["secret"] is None
    assert second["key"] == first["key"]
    assert second["workspace"] == first["workspace"]


@pytest.mark.asyncio
async def test_of_a_key_only_its_hash_is_stored(admin, database):
    _, made, _ = await admin("bootstrap", "--email", "bob@example.test", "--workspace", "Bob")
    rows = await database.fetch("SELECT * FROM api_keys WHERE name = 'bootstrap'")
    assert digest(made["secret"]) in [row["hash"] for row in rows]
    assert made["secret"] not in str([dict(row) for row in rows])


@pytest.mark.asyncio
async def test_bootstrap_takes_a_key_and_a_password_from_files(admin, database, tmp_path):
    (tmp_path / "key").write_text("a key that/was=made+elsewhere\n".replace(" ", "-"))
    (tmp_path / "password").write_text("correct horse\n")
    words = ("bootstrap", "--email", "eve@example.test", "--workspace", "Eve")
    files = ("--key-file", str(tmp_path / "key"), "--password-file", str(tmp_path / "password"))
    for _ in range(2):
        code, made, _ = await admin(*words, *files)
        assert (code, made["secret"]) == (0, None)
    async with database.acquire() as connection:
        key = await store.key_of_hash(connection, digest("a-key-that/was=made+elsewhere"))
    assert await has_password(database, "eve@example.test", "correct horse")
    assert not await has_password(database, "eve@example.test", "wrong horse")
    assert key
    assert str(key.workspace_id) == made["workspace"]["id"]


@pytest.mark.asyncio
async def test_a_key_of_another_workspace_is_not_taken_over(admin, tmp_path):
    (tmp_path / "key").write_text("the-very-same-key-twice")
    file = ("--key-file", str(tmp_path / "key"))
    assert (await admin("bootstrap", "--email", "one@example.test", "--workspace", "One", *file))[0] == 0
    code, _, told = await admin("bootstrap", "--email", "two@example.test", "--workspace", "Two", *file)
    assert code == 1
    assert "another workspace" in told


@pytest.mark.asyncio
async def test_workspaces_accounts_and_keys_are_made_listed_and_revoked(admin):
    _, workspace, _ = await admin("workspaces", "create", "Research & Development")
    assert (workspace["slug"], workspace["plan"]) == ("research-development", "enterprise")
    assert (await admin("workspaces", "create", "research & development"))[1] == workspace
    assert (await admin("accounts", "create", "dev@example.test", "--workspace", "research-development"))[0] == 0
    assert "dev@example.test" in [account["email"] for account in (await admin("accounts", "list"))[1]]
    _, made, _ = await admin(
        "keys", "create", "--workspace", workspace["id"], "--name", "ci", "--email", "dev@example.test"
    )
    listed = (await admin("keys", "list", "--workspace", "Research & Development"))[1]
    assert [(key["id"], key["revoked_at"]) for key in listed] == [(made["key"]["id"], None)]
    _, revoked, _ = await admin("keys", "revoke", made["key"]["id"])
    assert revoked["revoked_at"] is not None
    assert (await admin("keys", "revoke", made["key"]["id"]))[1] == revoked


@pytest.mark.asyncio
async def test_a_name_in_another_script_is_a_workspace_of_its_own(admin):
    first, second = (await admin("workspaces", "create", "工作室"))[1], (await admin("workspaces", "create", "研究"))[1]
    assert first["id"] != second["id"]


@pytest.mark.asyncio
async def test_plans_are_listed_and_workspaces_put_on_them(admin):
    await admin("workspaces", "create", "Thrifty")
    listed = [tuple(plan.values()) for plan in (await admin("plans", "list"))[1]]
    assert listed == [
        ("free", "Free", 20, 50, 10, 1, 3, False),
        STARTER,
        ("growth", "Growth", 300, 5000, 1000, 3, 50, True),
        ("pro", "Pro", 300, 5000, 1000, 5, 50, True),
        ("enterprise", "Enterprise", None, None, None, None, None, True),
    ]
    assert (await admin("plans", "set", "Thrifty", "free"))[1]["plan"] == "free"
    code, _, told = await admin("plans", "set", "Thrifty", "golden")
    assert code == 1
    assert "free, starter" in told


@pytest.mark.asyncio
async def test_a_workspace_has_figures_of_its_own_beside_its_plan(admin):
    await admin("workspaces", "create", "Special")
    own = ("--webhooks", "20", "--chat-messages-per-day", "unlimited", "--requests-per-minute", "1000")
    _, made, _ = await admin("plans", "set", "Special", "pro", *own)
    assert made["own"] == ["requests_per_minute", "chat_messages_per_day", "webhooks"]
    figures = (made["requests_per_minute"], made["chat_messages_per_day"], made["webhooks"], made["automations"])
    assert figures == (1000, None, 20, 50)
    shown = (await admin("plans", "show", "Special"))[1]
    assert shown["allowed"] == made
    assert shown["used"] == {"requests_per_minute": 0, "chat_messages_per_day": 0, "api_calls_per_month": 0}
    _, again, _ = await admin("plans", "set", "Special", "pro")
    assert (again["own"], again["webhooks"]) == ([], 5)


@pytest.mark.asyncio
async def test_a_plan_changes_for_all_workspaces_on_it_as_every_process_knows_at_once(admin, database):
    known = Plans(database, changes := Changes(database), custom=700)
    ids = [UUID((await admin("workspaces", "create", name))[1]["id"]) for name in ("Defined", "Defined too", "Other")]
    for name in ("Defined", "Defined too"):
        await admin("plans", "set", name, "starter", "--webhooks", "7")
    await changes.read()
    before = [await known.of(id) for id in ids]
    words = ("--requests-per-minute", "90", "--webhooks", "4", "--automations", "unlimited", "--analytics", "no")
    _, defined, _ = await admin("plans", "define", "starter", *words)
    assert tuple(defined.values()) == ("starter", "Starter", 90, 500, 100, 4, None, False)
    await changes.read()
    after = structs.replace(before[0], requests_per_minute=90, automations=None, analytics=False)
    assert [await known.of(id) for id in ids] == [after, after, before[2]]
    await admin("plans", "define", "starter", "--requests-per-minute", "custom")
    await changes.read()
    assert (await known.of(ids[0])).requests_per_minute == 700
    back = ("--requests-per-minute", "60", "--webhooks", "2", "--automations", "10", "--analytics", "yes")
    assert tuple((await admin("plans", "define", "starter", *back))[1].values()) == STARTER
    code, _, told = await admin("plans", "define", "golden", "--webhooks", "4")
    assert code == 1
    assert "free, starter" in told


@pytest.mark.parametrize("words", [("--requests-per-minute", "unlimited"), ("--webhooks", "-1"), ("--webhooks", "9e9")])
def test_a_figure_that_is_none_is_refused(words, capsys):
    with pytest.raises(SystemExit):
        arguments.parse(["plans", "set", "Special", "pro", *words])
    assert "expected a number from" in capsys.readouterr().err


@pytest.mark.asyncio
async def test_another_plan_is_stated_once(admin, database):
    _, workspace, _ = await admin("workspaces", "create", "Growing")
    id = UUID(workspace["id"])
    for words in (("growth",), ("growth",), ("growth", "--webhooks", "9"), ("pro",)):
        assert (await admin("plans", "set", "Growing", *words))[0] == 0
    rows = await database.fetch("SELECT body FROM outbox WHERE subject = $1 ORDER BY n", plans.CHANGED.name)
    stated = [plans.CHANGED.unpack(row["body"]) for row in rows]
    assert [(fact.before, fact.plan) for fact in stated if fact.workspace_id == id] == [
        ("enterprise", "growth"),
        ("growth", "pro"),
    ]


@pytest.mark.asyncio
async def test_a_workspace_keeps_what_ran_in_it_for_as_long_as_it_is_told(admin, database):
    _, kept, _ = await admin("workspaces", "create", "Kept")
    _, told, _ = await admin("workspaces", "create", "Told")
    assert kept["retention_days"] is None
    assert (await admin("workspaces", "set", "Told", "--retention-days", "30"))[1]["retention_days"] == 30

    async def expired(days: int) -> dict[UUID, timedelta]:
        """The age of what has expired, in those of the workspaces in which something has."""
        async with database.transaction() as connection:
            due = await store.expire(connection, days, 1000)
        return {each.id: datetime.now(UTC) - each.before for each in due}

    own, others = UUID(told["id"]), UUID(kept["id"])
    due = await expired(0)
    assert others not in due
    assert abs(due[own] - timedelta(days=30)) < timedelta(minutes=1)
    assert own not in await expired(0), "it was told of within the hour"
    assert others in await expired(7)
    assert (await admin("workspaces", "set", "Told", "--retention-days", "default"))[1]["retention_days"] is None
    assert (await admin("workspaces", "set", "Told", "--retention-days", "0"))[1]["retention_days"] == 0
    assert own not in await expired(7)


@pytest.mark.asyncio
async def test_a_workspace_has_the_days_of_its_time_zone_and_the_fact_is_stated(admin, database):
    _, far, _ = await admin("workspaces", "create", "Kiritimati")
    _, near, _ = await admin("workspaces", "create", "Niue")
    assert near["timezone"] == "UTC"
    code, told, _ = await admin("workspaces", "set", "Kiritimati", "--timezone", "Pacific/Kiritimati")
    assert (code, told["timezone"], told["retention_days"]) == (0, "Pacific/Kiritimati", None)
    await admin("workspaces", "set", "Niue", "--timezone", "Pacific/Niue")
    stated = await database.fetch("SELECT body FROM outbox WHERE subject = $1", workspaces.TIMEZONE_CHANGED.name)
    facts = [workspaces.TIMEZONE_CHANGED.unpack(row["body"]) for row in stated]
    assert workspaces.TimezoneChanged(UUID(near["id"]), "Pacific/Niue") in facts
    own, other = [await clocks.clock(database, UUID(made["id"])) for made in (far, near)]
    assert own.today - other.today >= timedelta(days=1), "they are 25 hours apart"
    gone = await clocks.clock(database, UUID(int=7))
    assert (gone.timezone, gone.today) == ("UTC", datetime.now(UTC).date())
    code, _, said = await admin("workspaces", "set", "Niue", "--timezone", "Mars/Olympus")
    assert code == 1
    assert "Mars/Olympus" in said


@pytest.mark.asyncio
async def test_a_workspace_is_deleted_with_its_keys_and_the_fact_is_stated(admin, database):
    _, gone, _ = await admin("workspaces", "create", "Gone")
    _, made, _ = await admin("keys", "create", "--workspace", "Gone")
    assert (await admin("workspaces", "delete", "Gone", "--yes"))[1]["id"] == gone["id"]
    assert made["key"]["id"] not in [key["id"] for key in (await admin("keys", "list"))[1]]
    stated = await database.fetch("SELECT body FROM outbox WHERE subject = $1", workspaces.DELETED.name)
    assert workspaces.WorkspaceDeleted(UUID(gone["id"])) in [workspaces.DELETED.unpack(row["body"]) for row in stated]
    assert (await admin("workspaces", "delete", "Gone", "--yes"))[0] == 1


@pytest.mark.asyncio
async def test_a_password_is_set_and_replaced(admin, database, tmp_path):
    await admin("accounts", "create", "pat@example.test")
    for password in ("first password", "second password"):
        (tmp_path / "password").write_text(password)
        file = ("--password-file", str(tmp_path / "password"))
        code, account, _ = await admin("passwords", "set", "pat@example.test", *file)
        assert (code, account["has_password"]) == (0, True)
    assert await has_password(database, "pat@example.test", "second password")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("accounts", "create", "nobody"), "no e-mail address"),
        (("workspaces", "create", "!!!"), "name for a workspace"),
        (("keys", "create", "--workspace", "Nowhere"), "no workspace"),
        (("keys", "revoke", "nothing"), "no key"),
        (("passwords", "set", "nobody@example.test", "--password-file", "/nowhere/at/all"), "can't be read"),
    ],
)
@pytest.mark.asyncio
async def test_what_can_not_be_done_is_said_in_one_line(admin, words, said):
    code, shown, told = await admin(*words)
    assert (code, shown) == (1, None)
    assert said in told


@pytest.mark.asyncio
async def test_a_person_gets_a_table_or_one_line_that_says_what_is_wrong(databases):
    made = run_admin(databases, "workspaces", "create", "Table")
    heading, row = made.stdout.splitlines()
    assert heading.split() == ["ID", "NAME", "SLUG", "PLAN", "CREATED", "AT"]
    assert " Table " in row
    failed = run_admin(databases, "keys", "create", "--workspace", "Nowhere")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "workspace: There is no workspace 'Nowhere'.\n"


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        arguments.parse(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for noun in ("bootstrap", "workspaces", "accounts", "keys", "passwords", "plans"):
        assert noun in shown
