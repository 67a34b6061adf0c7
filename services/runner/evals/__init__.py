"""Evals: an action tried on data points, and its answers judged. Trials are worked on in the background."""
