"""Voices: who answers an address, and that no two answer the same one."""

from dataclasses import replace

import pytest
from aiohttp import web

from services.gateway.__main__ import VOICES
from services.gateway.dialects.klu import auth, errors
from services.gateway.http import server
from services.gateway.http.voices import Voice, by_path, mount, paths


async def handler(request: web.Request) -> web.Response:
    return web.Response()


def voice(name: str, *routes: web.RouteDef, prefix: str = "", root: str = "/v1") -> Voice:
    return Voice(name, prefix or f"/{name}", [root], auth.caller, errors.render, routes)


def test_two_voices_may_not_claim_one_root_route():
    one = voice("one", web.get("/v1/things/{id}", handler))
    two = voice("two", web.get("/v1/things/{guid}", handler))
    with pytest.raises(ValueError, match="one and two both claim GET /v1/things"):
        mount(web.UrlDispatcher(), [one, two])


def test_two_voices_may_share_an_address_by_method():
    one = voice("one", web.get("/v1/things", handler))
    two = voice("two", web.post("/v1/things", handler))
    mount(web.UrlDispatcher(), [one, two])


def test_two_voices_share_an_address_where_one_of_them_knows_its_own_requests():
    one, two = voice("one", web.get("/v1/things", handler)), voice("two", web.get("/v1/things", handler))
    two, router = replace(two, knows=lambda request: True), web.UrlDispatcher()
    mount(router, [one, two])
    assert len({resource.canonical for resource in router.resources()}) == 6
    with pytest.raises(ValueError, match="both claim"):
        mount(web.UrlDispatcher(), [replace(one, knows=lambda request: True), two])


def test_a_voice_that_is_not_at_the_root_is_under_its_prefix_alone():
    one, two = voice("one", web.get("/v1/things", handler)), voice("two", web.get("/v1/things", handler))
    two, router = replace(two, at_root=False), web.UrlDispatcher()
    mount(router, [one, two])
    assert {resource.canonical for resource in router.resources()} == {
        *("/v1/things", "/v1/things/", "/one/v1/things", "/one/v1/things/"),
        *("/two/v1/things", "/two/v1/things/"),
    }
    assert paths(two) == {"/two/v1/things"}


def test_the_voices_of_this_installation_claim_nothing_twice():
    mount(web.UrlDispatcher(), VOICES)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/nothing", "klu"),
        ("/v1", "klu"),
        ("/klu/nothing", "klu"),
        ("/api/nothing", "klairo"),
        ("/api/apps/nothing", "llmstack"),
        ("/api/appsworld", "klairo"),
        ("/llmstack/api/nothing", "llmstack"),
        ("/klairo/v1/nothing", "klairo"),
        ("/openai/v1/nothing", "openai"),
        ("/v10", None),
        ("/apiary", None),
        ("/", None),
    ],
)
def test_an_unknown_address_is_answered_by_whose_it_looks(path, name):
    found = by_path(VOICES, path)
    assert (found.name if found else None) == name


def test_addresses_to_listen_on():
    assert server.addresses("127.0.0.1:4000, [::1]:4000") == [("127.0.0.1", 4000), ("::1", 4000)]


@pytest.mark.parametrize("listen", ["", "4000", "::1:4000", "127.0.0.1:", "127.0.0.1:70000", "[]:1", "a:1,,b:2"])
def test_what_is_no_address_to_listen_on_is_named(listen):
    with pytest.raises(ValueError, match="LISTEN holds"):
        server.addresses(listen)
