"""Automations: steps that run one after another when something happens, at a time, or when they are asked to."""
