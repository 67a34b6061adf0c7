"""Contacts: whom a workspace deals with, in the gateway's own tables."""
