"""The schedule of retries."""

from datetime import datetime, timedelta
from typing import Final

_FIRST_PAUSE_SECONDS: Final = 5.0
_MAX_PAUSE_SECONDS: Final = 3600.0
_MAX_AGE: Final = timedelta(hours=24)
# Also for deliveries that waited for a day behind others, or while their webhook was disabled.
_MIN_ATTEMPTS: Final = 5


def next_attempt(
    *, created: datetime, now: datetime, attempts: int, chance: float, retry_after: float | None
) -> datetime | None:
    """The time of the next attempt after ``attempts`` failures; None to give up, which is after a day.

    Pauses double from five seconds to an hour, with a jitter of up to a quarter (``chance`` is from 0 to 1), so that
    deliveries do not all return at once after an outage. A receiver may request a longer pause, up to an hour.
    """
    if now >= created + _MAX_AGE and attempts >= _MIN_ATTEMPTS:
        return None
    pause = min(_FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 20), _MAX_PAUSE_SECONDS) * (1 + chance / 4)
    return now + timedelta(seconds=max(pause, min(retry_after or 0.0, _MAX_PAUSE_SECONDS)))
