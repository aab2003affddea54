"""The interpreter and what is installed for it."""

import os
import platform
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from modelyard._capture.budget import Budget, OncePerProcess
from modelyard._capture.text import clean

_MAX_PACKAGES: Final = 5000
# `name-version.dist-info`; of older installers `name-version-py3.11.egg-info`. No hyphen is in a name or a version.
_METADATA: Final = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-py[^-]+)?\.(?:dist|egg)-info")
_SEPARATORS: Final = re.compile(r"[-_.]+")


def python() -> str:
    return platform.python_version()


def operating_system() -> str:
    # platform.platform() and platform.processor() would start other programs.
    return clean(f"{platform.system()} {platform.release()} {platform.machine()}")


def packages(budget: Budget) -> Mapping[str, str]:
    """Installed packages, normalised name to version. Raises ``TooLateError`` rather than to tell half of them."""
    return _PACKAGES.get(budget)


def _find_packages(budget: Budget) -> Mapping[str, str]:
    # The metadata folders' names say what their contents say (installers go by them), and reading the names takes a
    # hundredth of the time of importlib.metadata, which parses every one.
    found: dict[str, str] = {}
    for folder in sys.path:
        budget.check()
        with suppress(OSError):  # archives, folders that are gone, folders of others
            for name in os.listdir(folder or "."):  # noqa: PTH208 - a Path for every file of site-packages is the slow part
                if len(found) < _MAX_PACKAGES and (match := _METADATA.fullmatch(name)):
                    package = _SEPARATORS.sub("-", match["name"]).lower()
                    found.setdefault(
                        clean(package), clean(match["version"])
                    )  # the first on the path is what is imported
    return dict(sorted(found.items()))


_PACKAGES: Final = OncePerProcess(_find_packages)
