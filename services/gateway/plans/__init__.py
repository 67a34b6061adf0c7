"""Plans: what a workspace is allowed, by its plan or in figures of its own."""
