"""How hard the properties are tried: `HYPOTHESIS_PROFILE=long` for much longer, and another way each time."""

import os

from hypothesis import HealthCheck, settings

# The fixtures that run for each test change nothing from one example to the next.
_FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

settings.register_profile(
    "bounded", derandomize=True, deadline=None, database=None, max_examples=100, suppress_health_check=_FIXTURES
)
settings.register_profile("long", deadline=None, database=None, max_examples=5000, suppress_health_check=_FIXTURES)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "bounded"))
