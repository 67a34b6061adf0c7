"""Egress: every request to a URL that a user can name."""

from libs.egress.client import Egress
from libs.egress.guard import Refused
from libs.egress.refusals import EgressRefused
from libs.egress.replies import Download, Response

__all__ = ["Download", "Egress", "EgressRefused", "Refused", "Response"]
