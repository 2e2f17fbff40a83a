"""The surfaces and signals that networks are trained on: loading, fitting, extraction, evaluation."""
