"""Signing in: an e-mail address and a password for a token of a day, which is a caller like a key is."""
