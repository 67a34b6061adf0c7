"""Blobs: bytes too large for a message or a row, by reference."""

from libs.blobs.store import Blobs, check_url

__all__ = ["Blobs", "check_url"]
