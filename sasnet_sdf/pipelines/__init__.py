"""The jobs: the only callers of every other room."""
