"""Followers: which runs each process follows for its clients. A run that nobody follows any more may end.

Owner: gateway. Said about once a second by whoever follows anything, and at once of what was left; heard by every
runner.
"""

from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Feed


class Followed(Struct, frozen=True):
    """`follower` follows `runs`, perhaps among others, and no longer those that it `left`."""

    follower: str
    runs: list[UUID] = []
    left: list[UUID] = []


FEED = Feed("feed.gateway.followers", Followed)
