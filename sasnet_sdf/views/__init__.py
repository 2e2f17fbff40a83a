"""Pictures: renders and error maps side by side, slices of masks, curves. Arrays and callables in."""
