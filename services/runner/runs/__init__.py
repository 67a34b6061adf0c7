"""Runs: accepted, held, generated, published and recorded; taken over where their holder dies, ended where unread."""
