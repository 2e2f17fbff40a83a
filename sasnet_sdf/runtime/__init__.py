"""What any room may need and that knows no geometry: system, progress, compiled loops, optional libraries."""
