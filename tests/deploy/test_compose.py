"""docker-compose.yml and what it is handed: secrets are files that `make secrets` makes, and never in the file."""

import importlib
import re
import stat
import tomllib

import pytest
import yaml
from msgspec import structs

from deploy import make_secrets
from deploy.local.children import ROOT
from libs.contracts.subjects import MAY_CALL
from libs.runtime.settings import Common

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
# What the images say themselves.
NOT_IN_COMPOSE = {"PRIVATE_HOST", "PRIVATE_PORT"}
OURS = [name.replace("_", "-") for name in MAY_CALL]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(make_secrets, "FOLDER", tmp_path / "secrets")
    make_secrets.main()
    return tmp_path / "secrets"


def test_every_secret_that_compose_names_is_made(folder):
    named = {secret["file"] for secret in COMPOSE["secrets"].values()}
    assert named <= {f"deploy/secrets/{file.name}" for file in folder.iterdir()}


def test_every_secret_that_a_service_uses_is_named(folder):
    used = {secret for service in COMPOSE["services"].values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])


def test_secrets_are_made_once_and_closed_to_others(folder):
    before = {file.name: file.read_text() for file in folder.iterdir()}
    make_secrets.main()
    assert {file.name: file.read_text() for file in folder.iterdir()} == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(before.values())


def test_a_secret_that_was_lost_is_made_anew_and_all_that_hold_it_agree(folder):
    (folder / "runner_postgres_password").unlink()
    make_secrets.main()
    password = (folder / "runner_postgres_password").read_text().strip()
    assert f":{password}@" in (folder / "runner_postgres_dsn").read_text()


def test_a_password_of_ones_own_stands_in_the_address_as_an_address_has_it(folder):
    (folder / "runner_postgres_password").write_text("p@ss/word\n")
    make_secrets.main()
    assert "://runner:p%40ss%2Fword@postgres:5432/" in (folder / "runner_postgres_dsn").read_text()


def test_secrets_never_reach_the_repository():
    assert {"deploy/secrets/", ".env"} <= set((ROOT / ".gitignore").read_text().splitlines())


@pytest.mark.parametrize("name", OURS)
def test_a_service_has_an_image_of_its_own_and_the_lock_it_is_made_from(name):
    service = COMPOSE["services"][name]
    assert service["build"]["args"]["SERVICE"] == name
    assert service["image"].startswith(f"polyvox/{name}:")
    assert (ROOT / "deploy" / "locks" / f"{name}.txt").exists()
    assert name in tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_logs_in_as_itself_with_its_own_secrets(name):
    service, user = COMPOSE["services"][name], name.replace("-", "_")
    assert service["environment"]["NATS_USER"] == user
    others = {f"{other}_" for other in MAY_CALL if other != user}
    assert not any(secret.startswith(tuple(others)) for secret in service["secrets"])


@pytest.mark.parametrize("name", OURS)
def test_docker_waits_longer_than_a_service_takes_to_stop(name):
    [default] = re.findall(r"^\$\{STOP_GRACE_PERIOD:-(\d+)s\}$", COMPOSE["services"][name]["stop_grace_period"])
    [takes] = [field.default for field in structs.fields(Common) if field.name == "stop_seconds"]
    assert int(default) >= takes + 5


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_no_log_grows_for_ever(name):
    assert COMPOSE["services"][name]["logging"]["options"].keys() == {"max-size", "max-file"}


def test_only_the_gateway_is_reached_from_outside():
    assert [name for name, service in COMPOSE["services"].items() if "ports" in service] == ["gateway"]


@pytest.mark.parametrize("name", OURS)
def test_every_setting_of_a_service_is_in_compose_and_nothing_that_it_does_not_read(name):
    module = importlib.import_module(f"services.{name.replace('-', '_')}.__main__")
    settings = {field.name.upper() for field in structs.fields(module.Settings)}
    told = {variable.removesuffix("_FILE") for variable in COMPOSE["services"][name]["environment"]}
    assert {variable for variable in told if not variable.startswith("AWS_")} == settings - NOT_IN_COMPOSE


@pytest.mark.parametrize("name", OURS)
def test_what_an_object_store_wants_to_know_is_passed_on_and_not_there_where_nobody_says_it(name):
    told = COMPOSE["services"][name]["environment"]
    assert told["BLOBS_URL"] == "${BLOBS_URL:-file:///var/lib/polyvox/blobs}"
    assert {told[f"AWS_{each}"] for each in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION", "ENDPOINT")} == {None}
