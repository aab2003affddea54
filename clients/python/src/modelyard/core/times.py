"""Times as people write them. One rule for filters, options and arguments.

A time is RFC 3339 (``2026-03-31T12:00:00Z``), less of it (``2026-03-31``, ``2026-03-31 12:00``), or counted back from
now (``now-7d``, ``3d ago``, ``2h``). Without a zone it is in UTC.

A duration alone, as ``2h``, is a time only where nothing is compared, as in ``--since 2h``. ``create_time > 2h`` could
be read as an age, so comparisons refuse it: see :func:`is_duration`.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

CLOCK_SKEW: Final = timedelta(minutes=1)
"""How far the clocks of two machines may differ before a time counts as in the future."""
EXAMPLES: Final = "2026-03-31, 2026-03-31T12:00:00Z, now-7d or '3h ago'"

_RELATIVE: Final = re.compile(r"(?P<now>now *- *)?(?P<count>[0-9]{1,6}) *(?P<unit>[a-z]+)(?P<ago> +ago)?")
_SECONDS: Final = re.compile(r".*[0-9]:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9:]+)?", re.IGNORECASE)
_UNITS: Final = {
    **dict.fromkeys(("s", "sec", "second"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "minute"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hour"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day"), timedelta(days=1)),
    **dict.fromkeys(("w", "week"), timedelta(weeks=1)),
    **dict.fromkeys(("y", "year"), timedelta(days=365)),
}


def parse_time(text: str, now: datetime) -> datetime:
    """The time that ``text`` means, in UTC. Raises ``ValueError`` with a message for the user.

    Args:
        text: An absolute or a relative time.
        now: What relative times count from.
    """
    text = text.strip()
    try:
        return _relative(text, now) if _is_relative(text) else _absolute(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:80]!r} is not a time. Use {EXAMPLES}. Without a zone a time is in UTC.") from None


def parse_end_of(text: str, now: datetime) -> datetime:
    """The same, for the state at a time: a time that is given to the second means the end of that second.

    So a time that was printed without fractions of a second shows what had happened by then.
    """
    moment = parse_time(text, now)
    return moment + timedelta(seconds=1, microseconds=-1) if _SECONDS.fullmatch(text.strip()) else moment


def check_past(moment: datetime, now: datetime) -> None:
    """Raises ``ValueError`` with a message for the user if ``moment`` is in the future."""
    if moment > now + CLOCK_SKEW:
        raise ValueError(f"{rfc3339(moment)} is in the future. It is {rfc3339(now, 'seconds')} now, in UTC.")


def utc(moment: datetime) -> datetime:
    """``moment`` in UTC. Without a zone it is in UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def rfc3339(moment: datetime, timespec: str = "auto") -> str:
    """``2026-03-31T12:00:00Z``. ``timespec`` is that of ``datetime.isoformat``."""
    return utc(moment).isoformat(timespec=timespec).replace("+00:00", "Z")


def is_duration(text: str) -> bool:
    """Whether a relative time does not say that it counts back from now: ``2h``."""
    found = _RELATIVE.fullmatch(text.strip())
    return found is not None and not found["now"] and not found["ago"]


def _is_relative(text: str) -> bool:
    return text == "now" or _RELATIVE.fullmatch(text) is not None


def _relative(text: str, now: datetime) -> datetime:
    found = _RELATIVE.fullmatch(text)
    if found is None:
        return utc(now)
    if found["now"] and found["ago"]:
        raise ValueError
    named = found["unit"]
    unit = _UNITS.get(named) or _UNITS.get(named.removesuffix("s") if len(named) > len("ms") else "")
    if unit is None:
        raise ValueError
    return utc(now) - int(found["count"]) * unit


def _absolute(text: str) -> datetime:
    # Eight digits are a day to Python, though more likely somebody's number.
    if "-" not in text[:5]:
        raise ValueError
    return utc(datetime.fromisoformat(text.removesuffix(" UTC")))
