"""Environment: what each service is told on one machine.

Owner: deploy.local. Users' URLs may reach this machine here, also over plain http; nowhere else is that the default.
"""

import os

from deploy.local import ports
from deploy.local.credentials import Credentials, Secrets
from deploy.local.model import SLOTS, WINDOW, name_of
from deploy.local.options import Options
from deploy.local.servers import Servers

WORKSPACE = "Demo"
LOOPBACK = "127.0.0.0/8,::1/128"


def of(service: str, options: Options, secrets: Secrets, servers: Servers, *, private_port: int) -> dict[str, str]:
    """What every service is told. The launcher's own environment goes along; what is said here wins."""
    common = {
        "NATS_URL": servers.nats_url,
        "NATS_USER": service,
        "NATS_PASSWORD": secrets.nats[service],
        "POSTGRES_DSN": servers.dsn(service),
        "BLOBS_URL": (options.data / "blobs").as_uri(),
        "PRIVATE_HOST": "127.0.0.1",
        "PRIVATE_PORT": str(private_port),
        "MASTER_KEYS": secrets.master_keys,
        # They stop one after the other, all within half a minute; there is nobody here to hand work over to.
        "STOP_SECONDS": os.environ.get("STOP_SECONDS", "14"),
        "EGRESS_ALLOW_CIDRS": os.environ.get("EGRESS_ALLOW_CIDRS", LOOPBACK),
    }
    return dict(os.environ) | common


def gateway(options: Options, known: Credentials) -> dict[str, str]:
    """Its addresses, and the demo's account, which it makes where it is missing."""
    listen = [f"{_literal(host)}:{port}" for port in options.ports for host in ports.hosts()]
    return {
        "LISTEN": ",".join(listen),
        "BOOTSTRAP_EMAIL": known.email,
        "BOOTSTRAP_WORKSPACE": WORKSPACE,
        "BOOTSTRAP_PASSWORD": known.password,
        "BOOTSTRAP_API_KEY": known.api_key,
    }


def runner(options: Options, model_url: str) -> dict[str, str]:
    """The default model. DEFAULT_MODEL_KEY and DEFAULT_MODEL_CONTEXT may come from the launcher's own environment."""
    window = os.environ.get("DEFAULT_MODEL_CONTEXT", str(WINDOW // SLOTS))
    name = options.model_name or name_of(options.model_file)
    return {"DEFAULT_MODEL_URL": model_url, "DEFAULT_MODEL_NAME": name, "DEFAULT_MODEL_CONTEXT": window}


def retrieval(options: Options) -> dict[str, str]:
    return {"VECTORS_URL": f"embedded://{options.data / 'vectors'}"}


def _literal(host: str) -> str:
    return f"[{host}]" if ":" in host else host
