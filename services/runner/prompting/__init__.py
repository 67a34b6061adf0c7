"""Prompting: what the model is asked, made of a template and its values, and what its answer must fit."""
