"""The jobs: the only callers of every other room."""

from __future__ import annotations
