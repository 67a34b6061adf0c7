"""The command line of `admin`, from its words to the function that does the work."""

import argparse
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from libs.postgres.database import Database
from libs.runtime.commands.answers import Answer
from services.gateway.directory.admin import commands, plans
from services.gateway.directory.admin.plans import FIGURES

_MOST_DAYS = 36_500
_MOST = 2**31 - 1

Work = Callable[[Database, argparse.Namespace], Awaitable[Answer]]


@dataclass(frozen=True)
class Command:
    work: Work
    options: argparse.Namespace


def parse(argv: Sequence[str]) -> Command:
    """Ends the process with the usage where the words make no command."""
    options = _parser().parse_args(argv)
    return Command(options.work, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.gateway admin",
        description="Accounts, workspaces, keys and plans of this installation. Reads POSTGRES_DSN.",
    )
    nouns = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _bootstrap(nouns)
    _workspaces(nouns)
    _accounts(nouns)
    _keys(nouns)
    _passwords(nouns)
    _plans(nouns)
    return parser


def _bootstrap(nouns: Any) -> None:
    command = _command(nouns, "bootstrap", commands.bootstrap, "make the first account, workspace and key, once")
    command.add_argument("--email", required=True, help="address of the account")
    command.add_argument("--workspace", default="Main", metavar="NAME", help="name of the workspace (Main)")
    command.add_argument("--password-file", metavar="FILE", help="file with the account's password")
    command.add_argument("--key-file", metavar="FILE", help="file with the API key to use, instead of a new one")


def _workspaces(nouns: Any) -> None:
    verbs = _verbs(nouns, "workspaces", "list, create, change and delete workspaces")
    _command(verbs, "list", commands.list_workspaces, "list all workspaces")
    create = _command(verbs, "create", commands.create_workspace, "create a workspace")
    create.add_argument("name")
    create.add_argument("--plan", help="name of its plan (enterprise)")
    change = _command(verbs, "set", commands.set_workspace, "say what a workspace keeps, and where it is")
    change.add_argument("workspace", help="id, name or slug")
    days = "runs older than this are erased, with all that was said and told of them; 0: never, default: RETENTION_DAYS"
    change.add_argument("--retention-days", type=_days, metavar="N", default=commands.KEPT, help=days)
    change.add_argument("--timezone", metavar="NAME", help="IANA name of its time zone, as Europe/Rome (UTC)")
    delete = _command(verbs, "delete", commands.delete_workspace, "delete a workspace and erase all that is in it")
    delete.add_argument("workspace", help="id, name or slug")
    delete.add_argument("--yes", action="store_true", required=True, help="there is no way back")


def _days(text: str) -> int | None:
    if text == "default":
        return None
    if not text.isascii() or not text.isdigit() or int(text) > _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"expected a number of days up to {_MOST_DAYS}, 0 for ever, or default")
    return int(text)


def _accounts(nouns: Any) -> None:
    verbs = _verbs(nouns, "accounts", "list and create accounts")
    _command(verbs, "list", commands.list_accounts, "list all accounts")
    create = _command(verbs, "create", commands.create_account, "create an account")
    create.add_argument("email")
    create.add_argument("--name", default="", help="the person's name")
    create.add_argument("--workspace", help="make it a member of this workspace (id, name or slug)")
    create.add_argument("--role", default="member", choices=("owner", "admin", "member"), help="as what (member)")


def _keys(nouns: Any) -> None:
    verbs = _verbs(nouns, "keys", "list, create and revoke API keys")
    listing = _command(verbs, "list", commands.list_keys, "list API keys")
    listing.add_argument("--workspace", help="of this workspace alone (id, name or slug)")
    create = _command(verbs, "create", commands.create_key, "create an API key and show it, this once")
    create.add_argument("--workspace", required=True, help="workspace it opens (id, name or slug)")
    create.add_argument("--name", default="api", help="what it is for (api)")
    create.add_argument("--email", help="account it belongs to")
    create.add_argument("--key-file", metavar="FILE", help="file with the API key to use, instead of a new one")
    revoke = _command(verbs, "revoke", commands.revoke_key, "refuse a key from now on")
    revoke.add_argument("id", help="id of the key, as listed")


def _passwords(nouns: Any) -> None:
    verbs = _verbs(nouns, "passwords", "set passwords")
    change = _command(verbs, "set", commands.set_password, "set an account's password")
    change.add_argument("email")
    change.add_argument("--password-file", metavar="FILE", help="file with the password; asked for without it")


def _plans(nouns: Any) -> None:
    verbs = _verbs(nouns, "plans", "list plans, change them, and put workspaces on them")
    _command(verbs, "list", plans.list_all, "list all plans with what they allow; -: no limit")
    show = _command(verbs, "show", plans.show, "show what a workspace is allowed and has used; -: no limit")
    show.add_argument("workspace", help="id, name or slug")
    change = _command(verbs, "set", plans.set_workspace, "put a workspace on a plan, with these figures of its own")
    change.add_argument("workspace", help="id, name or slug")
    change.add_argument("plan")
    _figures(change, requests_word=None)
    define = _command(verbs, "define", plans.define, "change these figures of a plan, for all workspaces on it")
    define.add_argument("plan")
    _figures(define, requests_word="custom")
    define.add_argument(
        "--analytics", type=_yes_or_no, metavar="yes|no", help="whether it has analytics", default=argparse.SUPPRESS
    )


def _figures(command: argparse.ArgumentParser, *, requests_word: str | None) -> None:
    for name, about in FIGURES.items():
        word = requests_word if name == plans.REQUESTS else "unlimited"
        command.add_argument(
            f"--{name.replace('_', '-')}",
            type=_figure(1 if name == plans.REQUESTS else 0, word),
            metavar="N",
            help=f"{about}, or {word}" if word else about,
            default=argparse.SUPPRESS,
        )


def _figure(least: int, word: str | None) -> Callable[[str], int | None]:
    """A number; `word` where there may be none."""

    def parse(text: str) -> int | None:
        if text == word:
            return None
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= _MOST:
            also = f", or {word}" if word else ""
            raise argparse.ArgumentTypeError(f"expected a number from {least} to {_MOST}{also}")
        return int(text)

    return parse


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise argparse.ArgumentTypeError("expected yes or no")
    return text == "yes"


def _verbs(nouns: Any, noun: str, help: str) -> Any:
    parser = nouns.add_parser(noun, help=help, description=help)
    return parser.add_subparsers(title="commands", required=True, metavar="COMMAND")


def _command(nouns: Any, word: str, work: Work, help: str) -> argparse.ArgumentParser:
    parser = nouns.add_parser(word, help=help, description=help)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(work=work)
    return parser
