"""What a page shows counts as printed only if it is, but for what differs from run to run."""

import pytest
from tests.docs.outputs import equal


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("team/fraud@1  sha256:0481169e51265bf8", "team/fraud@1  sha256:5ac95e4ac4da9d69"),
        ("created 2026-11-27T04:27:31Z, 2 s ago", "created 2026-11-28T20:25:46Z, now"),
        ("NAME   SIZE\na  1 B", "NAME        SIZE\na       1 B"),
        ("first\n...\nlast", "first\nsecond\nthird\nlast"),
        ("secret: whsec_…", "secret: whsec_rCD4+QluQq1RolQexH20sPCDuFqSlgRw/9hpAA94h44="),
        ("hint: look …", "hint: look at the log"),
    ],
)
def test_runs_may_differ_in_ids_times_and_widths(shown: str, printed: str) -> None:
    assert equal(shown.splitlines(), printed.splitlines())


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("production of team/fraud: 1 → 2", "production of team/fraud: 2 → 1"),
        ("auc=0.93", "auc=0.91"),
        ("first", "first\nsecond"),
        ("first\nsecond", "first"),
        ("first\n...\nlast", "first\nsecond"),
        ("", "anything"),
    ],
)
def test_runs_may_not_differ_in_anything_else(shown: str, printed: str) -> None:
    assert not equal(shown.splitlines(), printed.splitlines())
