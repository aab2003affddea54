"""When a delivery that failed is tried again."""

from datetime import datetime, timedelta
from typing import Final

_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 3600.0
_GIVE_UP: Final = timedelta(hours=24)
# Also for what has waited for a day behind others, or while its webhook was disabled.
_LEAST_ATTEMPTS: Final = 5


def next_attempt(
    *, created: datetime, now: datetime, attempts: int, chance: float, retry_after: float | None
) -> datetime | None:
    """When a delivery that failed ``attempts`` times is tried again; None if it is given up, which is after a day.

    Pauses double from five seconds to an hour, and differ by up to a quarter (``chance`` is from 0 to 1), so that what
    one outage stopped does not come back all at once. A receiver may ask for more, up to an hour.
    """
    if now >= created + _GIVE_UP and attempts >= _LEAST_ATTEMPTS:
        return None
    pause = min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 20), _LONGEST_PAUSE) * (1 + chance / 4)
    return now + timedelta(seconds=max(pause, min(retry_after or 0.0, _LONGEST_PAUSE)))
