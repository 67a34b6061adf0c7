"""Limits: how often a workspace may do what, over all voices and all processes of the gateway together."""
