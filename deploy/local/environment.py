"""Environment: what each service is told on one machine.

Owner: deploy.local. Users' URLs may reach this machine here, also over plain http; nowhere else is that the default.
"""

import os
from urllib.parse import quote, urlsplit, urlunsplit

from deploy.local.credentials import Secrets
from deploy.local.model import SLOTS, WINDOW, name_of
from deploy.local.options import Options

LOOPBACK = "127.0.0.0/8,::1/128"


def of(
    service: str,
    options: Options,
    secrets: Secrets,
    *,
    nats_url: str,
    postgres_url: str,
    private_port: int,
    model_url: str,
) -> dict[str, str]:
    """Everything that the launcher's own environment holds goes along; what is said here wins."""
    common = {
        "NATS_URL": nats_url,
        "NATS_USER": service,
        "NATS_PASSWORD": secrets.nats[service],
        "POSTGRES_DSN": as_user(postgres_url, service, secrets.postgres[service]),
        "BLOBS_URL": (options.data / "blobs").as_uri(),
        "PRIVATE_HOST": "127.0.0.1",
        "PRIVATE_PORT": str(private_port),
        "MASTER_KEYS": secrets.master_keys,
        "EGRESS_ALLOW_CIDRS": os.environ.get("EGRESS_ALLOW_CIDRS", LOOPBACK),
    }
    return dict(os.environ) | common | _own(service, options, model_url)


def _own(service: str, options: Options, model_url: str) -> dict[str, str]:
    match service:
        case "gateway":
            return {}
        case "runner":
            return {
                "DEFAULT_MODEL_URL": model_url,
                "DEFAULT_MODEL_NAME": options.model_name or name_of(options.model_file),
                "DEFAULT_MODEL_CONTEXT": os.environ.get("DEFAULT_MODEL_CONTEXT", str(WINDOW // SLOTS)),
            }
        case "retrieval":
            return {}
        case _:
            return {}


def nats_passwords(secrets: Secrets) -> dict[str, str]:
    """The variables that deploy/nats-users.conf reads."""
    passwords = secrets.nats | {"operator": secrets.nats_operator}
    return {f"NATS_{user.upper()}_PASSWORD": password for user, password in passwords.items()}


def nats_url(url: str, user: str, password: str) -> str:
    return as_user(url, user, password)


def as_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{address}"))
