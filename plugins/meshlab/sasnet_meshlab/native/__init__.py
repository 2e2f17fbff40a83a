"""The filter of the desktop MeshLab: its C++ source, and the code that builds and installs it.

docs/meshlab-plugin.md explains its use, LICENSE.md the license of a compiled plugin.
"""

from .build import APT_LINE, build_plugin, fetch_source
from .install import install_plugin

__all__ = ["APT_LINE", "build_plugin", "fetch_source", "install_plugin"]
