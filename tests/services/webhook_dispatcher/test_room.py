"""How much room an endpoint and a workspace get, as attempts come and go."""

import pytest

from libs.contracts import ids
from services.webhook_dispatcher.room import Limits, Place, Room

ENDPOINT, WORKSPACE = ids.new(), ids.new()


def test_an_endpoint_that_fails_loses_its_room_and_gets_it_back_in_a_ramp():
    room = Room(Limits(256, 32, 128, 2048))
    seen = []
    for delivered in (False,) * 6 + (True,) * 6:
        room.saw(Place(ENDPOINT, WORKSPACE, slow=False), delivered=delivered)
        seen.append(room.most(ENDPOINT))
    assert seen == [16, 8, 4, 2, 1, 1, 2, 4, 8, 16, 32, 32]
    assert room.known() == {}


def test_endpoints_that_fail_have_a_quarter_of_the_slots_together_and_take_none_from_the_others():
    room = Room(Limits(8, 4, 8, 24))
    place = Place(ENDPOINT, WORKSPACE, slow=True)
    room.take(place)
    assert (room.free(slow=False), room.free(slow=True)) == (8, 1)
    room.take(place)
    assert (room.free(slow=False), room.free(slow=True)) == (8, 0)
    room.give_back(place)
    assert (room.free(slow=False), room.free(slow=True), room.workspaces(slow=True)[WORKSPACE]) == (8, 1, 1)


def test_of_all_that_is_open_there_is_an_end_however_much_of_it_hangs():
    room = Room(Limits(8, 4, 8, 24))
    for _ in range(20):
        room.take(Place(ids.new(), ids.new(), slow=True))
    assert room.free(slow=False) == 4
    for _ in range(4):
        room.take(Place(ids.new(), ids.new(), slow=False))
    assert room.free(slow=False) == 0


def test_endpoints_in_doubt_leave_room_for_the_others():
    room = Room(Limits(16, 16, 16, 48))
    for _ in range(12):
        assert room.free_doubtful > 0
        room.take(Place(ids.new(), WORKSPACE, slow=False, doubtful=True))
    assert (room.free_doubtful, room.free(slow=False)) == (0, 4)


@pytest.mark.parametrize("hang", [False, True], ids=["in doubt", "hanging"])
@pytest.mark.parametrize("count", [1, 10, 20])
def test_workspaces_that_take_what_they_can_get_the_same_and_leave_enough_for_others(count, hang):
    room, workspaces = Room(Limits(256, 32, 256, 2048)), [ids.new() for _ in range(count)]
    while eager := [id for id in workspaces if id not in room.full()]:
        room.take(Place(ids.new(), eager[0], slow=hang, doubtful=not hang))
        workspaces.sort(key=room.unanswered)
    taken = [room.unanswered(id) for id in workspaces]
    assert max(taken) - min(taken) <= 1
    assert sum(taken) >= (room.limits.unanswered if hang else room.limits.doubtful) * 3 // 5
    assert room.free_doubtful >= room.limits.batch
    assert room.free(slow=False) >= room.limits.slots // 4
    assert ids.new() not in room.full()


def test_who_answers_is_trusted_until_it_fails_or_hangs():
    room, one, other = Room(Limits(16, 16, 16, 48)), Place(ENDPOINT, WORKSPACE, slow=False), ids.new()
    room.saw(one, delivered=True)
    room.saw(Place(other, WORKSPACE, slow=False), delivered=True)
    assert room.trusted() == [(WORKSPACE, ENDPOINT), (WORKSPACE, other)]
    room.saw(one, delivered=False)
    room.hangs(other)
    assert room.trusted() == []
