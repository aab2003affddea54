"""A folder of the user's own that holds exactly one version.

A pull makes all files beside the folder and puts them in its place in one step: readers see the version that was there
or the new one, and kill -9 leaves one of both. ``.NAME.modelyard`` beside the folder says which version it holds; so
the next pull knows what it may replace.

Where a folder can't be replaced as a whole, because it is a mount point or because its parent can't be written to, the
first pull moves the files into it, and ``.modelyard.json`` in it says which version they are.
"""

from modelyard._target.folder import TargetFolder
from modelyard._target.link import TargetLink

__all__ = ["TargetFolder", "TargetLink"]
