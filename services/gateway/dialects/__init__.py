"""Dialects: the voices in which clients of other products speak to this engine. They share libs and http, not code."""
