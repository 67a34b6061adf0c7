"""`python -m deploy.local`: the whole engine on this machine, until Ctrl-C.

Owner: deploy.local. Nothing is downloaded, and nothing is left running, however this process ends.
"""

import sys


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 — this module alone must be readable for an older one
        sys.exit("Polyvox needs Python 3.11 or newer: run `make PYTHON=/path/to/python3.11 env`, then `make up`.")
    try:
        from deploy.local.launcher import launch
    except ModuleNotFoundError as missing:
        sys.exit(f"Missing in {sys.executable}: {missing.name}. Run `make env` and use .venv/bin/python.")
    sys.exit(launch())


if __name__ == "__main__":
    main()
