"""Progress bars of transfers, one a phase."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from modelyard import types
from modelyard.cli.text import escape


@contextmanager
def progress_bars(console: Console) -> Iterator[Callable[[types.Progress], None]]:
    """Yields the callback that moves them; they are gone at the end."""
    columns = (
        TextColumn("{task.description:8}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.fields[path]}", markup=False),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, transient=True) as bars:

        def update(progress: types.Progress) -> None:
            path = escape(progress.path)
            if progress.phase not in tasks:
                tasks[progress.phase] = bars.add_task(progress.phase, total=progress.total, path=path)
            bars.update(tasks[progress.phase], completed=progress.done, total=progress.total, path=path)

        yield update
