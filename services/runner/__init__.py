"""The runner: what runs? Apps, actions, models, sessions, and runs themselves."""
