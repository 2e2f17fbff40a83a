"""The command line: parses arguments, builds settings, calls a pipeline, returns an exit code."""
