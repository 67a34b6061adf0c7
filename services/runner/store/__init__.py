"""What the runner keeps in Postgres: one module a noun, one function a statement, typed in and out."""
