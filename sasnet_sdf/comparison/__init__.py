"""Compares networks, and screened Poisson reconstruction, on the same data with the same budget."""
