"""Any order of changes, right and wrong ones, leaves the registry as a simple model of it says, on both dialects."""

from pathlib import Path

from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.property.machine import RegistryMachine
from tests.property.yards import open_yard

_SHARE = 3
"""A run of the machine takes as long as several examples of another property."""


def test_the_registry_agrees_with_its_model(database_url: str, tmp_path: Path) -> None:
    with open_yard(database_url, tmp_path / "yard") as yard:
        machine = type("Machine", (RegistryMachine,), {"open": yard})
        bounded = settings(
            max_examples=max(settings().max_examples // _SHARE, 1),
            stateful_step_count=40,
            # A failure is shown as it was found, within seconds: shrinking forty calls takes minutes.
            phases=set(Phase) - {Phase.shrink, Phase.explain},
        )
        run_state_machine_as_test(machine, settings=bounded)
