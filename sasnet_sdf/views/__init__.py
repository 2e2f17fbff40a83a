"""Pictures: renders and error maps side by side, convergence, slices of masks."""
