"""The command line: parse, build the settings, call a pipeline, exit code."""
