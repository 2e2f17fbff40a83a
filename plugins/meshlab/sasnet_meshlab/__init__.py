"""SASNet surface reconstruction as a filter of PyMeshLab and MeshLab."""
