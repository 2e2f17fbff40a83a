"""The filter of the desktop MeshLab: its C++ source, and what builds and installs it.

docs/meshlab-plugin.md says how it is used; LICENSE.md what licence a compiled plugin has.
"""

from .build import APT_LINE, build_plugin
from .install import install_plugin
from .source import fetch_source

__all__ = ["APT_LINE", "build_plugin", "fetch_source", "install_plugin"]
