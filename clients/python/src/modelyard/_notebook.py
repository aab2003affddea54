"""Whether the program runs in a notebook, and in which. Nothing is imported to find out."""

import os
import sys

_FILE_IN_VSCODE = "__vsc_ipynb_file__"
_FILE_IN_JUPYTER = "JPY_SESSION_NAME"


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this program."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


def notebook_file() -> str:
    """The notebook that runs this program, as its server or editor names it; empty if nobody told the kernel."""
    told = getattr(sys.modules.get("__main__"), _FILE_IN_VSCODE, "") or os.environ.get(_FILE_IN_JUPYTER, "")
    return told if isinstance(told, str) and told.endswith(".ipynb") else ""
