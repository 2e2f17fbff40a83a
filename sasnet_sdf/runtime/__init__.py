"""Services without geometry for the whole package: system, progress, compiled loops, optional libraries."""
