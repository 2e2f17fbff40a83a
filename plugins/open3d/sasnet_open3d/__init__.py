"""SASNet surface reconstruction among Open3D's own: the same names, the same habits."""
