"""`make secrets`: the files under deploy/secrets/ that docker-compose.yml hands to its containers.

Only what is missing is made, so running it again changes nothing, and what holds several (the services' addresses in
PostgreSQL, NATS's passwords) is written from the single ones. The folder is closed to other users of the machine;
the files in it are not, because a container's own user must read them.
"""

import secrets
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

FOLDER = Path(__file__).with_name("secrets")
SERVICES = ("gateway", "runner", "retrieval", "feedback", "webhook_dispatcher")


def main() -> None:
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    _made("postgres_password", _password)
    _made("qdrant_api_key", _password)
    _made("bootstrap_password", _password)
    _made("master_keys", lambda: f"first:{b64encode(secrets.token_bytes(32)).decode()}")
    nats = {"operator": _made("nats_operator_password", _password)}
    for service in SERVICES:
        password = _made(f"{service}_postgres_password", _password)
        _write(f"{service}_postgres_dsn", f"postgresql://{service}:{quote(password, safe='')}@postgres:5432/polyvox")
        nats[service] = _made(f"{service}_nats_password", _password)
    _write("nats_passwords", "\n".join(f"NATS_{user.upper()}_PASSWORD={nats[user]}" for user in nats))
    print(f"The secrets are in {FOLDER}. The first account's password is in bootstrap_password.")


def _password() -> str:
    # A letter first: nats-server would read a password such as 12e4 as a number.
    return "p" + secrets.token_hex(20)


def _made(name: str, make: Callable[[], str]) -> str:
    file = FOLDER / name
    if not file.exists():
        _write(name, make())
    return file.read_text().strip()


def _write(name: str, content: str) -> None:
    (FOLDER / name).write_text(content + "\n")
    (FOLDER / name).chmod(0o644)


if __name__ == "__main__":
    main()
