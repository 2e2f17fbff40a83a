"""Pictures from arrays and callables: renders and error maps side by side, slices of masks, curves."""
