"""Whose turn it is after a claim."""

from uuid import UUID

from services.webhook_dispatcher.turns import START, Taken, Turns

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
ONE, TWO = UUID(int=11), UUID(int=12)


def test_after_a_claim_that_came_to_its_end_the_next_begins_at_the_start():
    turns = Turns(2)
    assert not turns.took([Taken(A, ONE, share=4, quota=2)], reached=None)
    assert not turns.took([], reached=None)
    assert (turns.workspace, turns.endpoints) == (START, {})


def test_workspaces_that_a_claim_did_not_come_to_are_first_in_the_next_also_where_it_took_nothing():
    turns = Turns(2)
    assert turns.took([], reached=B)
    assert turns.workspace == B
    assert turns.took([Taken(C, ONE, share=8, quota=8)], reached=None)
    assert turns.workspace == START
    assert not turns.took([Taken(A, ONE, share=4, quota=4)], reached=None)


def test_a_round_of_several_claims_that_took_nothing_is_the_last():
    turns = Turns(2)
    assert turns.took([], reached=B)
    assert not turns.took([], reached=None)
    assert turns.took([Taken(A, ONE, share=8, quota=8)], reached=B)
    assert turns.took([], reached=None)


def test_a_round_that_came_by_the_end_of_a_workspace_is_not_the_last():
    turns = Turns(2)
    assert turns.took([Taken(A, TWO, share=1, quota=1), Taken(B, ONE, share=1, quota=1)], reached=B)
    assert turns.took([], reached=None)
    assert turns.took([], reached=B)
    assert turns.took([], reached=None)
    assert not turns.took([], reached=None)


def test_endpoints_that_a_claim_did_not_come_to_are_first_in_the_next_of_their_workspace():
    turns = Turns(8)
    taken = [Taken(A, TWO, share=2, quota=1), Taken(A, ONE, share=2, quota=1), Taken(B, ONE, 2, 2)]
    assert turns.took(taken, reached=C)
    assert turns.endpoints == {A: TWO}
    assert turns.took([], reached=None)
    assert turns.endpoints == {A: TWO}
    assert turns.took([], reached=None)
    assert turns.endpoints == {}
    assert not turns.took([], reached=None)


def test_an_endpoint_that_gave_as_many_as_it_was_asked_for_may_have_more():
    assert Turns(8).took([Taken(A, ONE, share=4, quota=1)], reached=None)


def test_a_workspace_that_is_full_keeps_its_turn_and_is_not_waited_for():
    turns = Turns(2)
    assert turns.took([Taken(A, ONE, share=1, quota=1)], reached=None)
    assert not turns.took([], reached=None, full=[A])
    assert turns.endpoints == {A: ONE}
    assert turns.took([Taken(A, TWO, share=1, quota=1)], reached=None)
    assert turns.endpoints == {A: TWO}
