"""Scans that are larger than one field: partition, coarse field, tiles and one surface, on Dask."""
