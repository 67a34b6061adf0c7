"""Directory: who you are. Workspaces, accounts, their members, API keys and plans."""
