"""How much room an endpoint and a workspace get, as attempts come and go."""

from libs.contracts import ids
from services.webhook_dispatcher.room import Limits, Place, Room

ENDPOINT, WORKSPACE = ids.new(), ids.new()


def test_an_endpoint_that_fails_loses_its_room_and_gets_it_back_in_a_ramp():
    room = Room(Limits(256, 32, 128))
    seen = []
    for delivered in (False,) * 6 + (True,) * 6:
        room.saw(ENDPOINT, delivered=delivered)
        seen.append(room.most(ENDPOINT))
    assert seen == [16, 8, 4, 2, 1, 1, 2, 4, 8, 16, 32, 32]
    assert room.known() == {}


def test_endpoints_that_fail_have_a_quarter_of_the_slots_together():
    room = Room(Limits(8, 4, 8))
    place = Place(ENDPOINT, WORKSPACE, slow=True)
    room.take(place)
    assert (room.free, room.free_slow) == (7, 1)
    room.take(place)
    assert (room.free, room.free_slow) == (6, 0)
    room.give_back(place)
    assert (room.free, room.free_slow, room.workspaces[WORKSPACE]) == (7, 1, 1)
