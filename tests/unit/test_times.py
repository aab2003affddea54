"""Times as people write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from modelyard.core.times import check_past, parse_end_of, parse_time, rfc3339, utc

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("2026-03-01T10:00", "2026-03-01T10:00:00Z"),
        ("2026-03-01 10:00", "2026-03-01T10:00:00Z"),
        ("2026-03-01 10:00 UTC", "2026-03-01T10:00:00Z"),
        ("2026-03-01T10:00:30Z", "2026-03-01T10:00:30Z"),
        ("2026-03-01T10:00:30.25+02:00", "2026-03-01T08:00:30.250000Z"),
        (" now ", "2026-03-08T12:00:00Z"),
        ("now-7d", "2026-03-01T12:00:00Z"),
        ("2h", "2026-03-08T10:00:00Z"),
        ("3d ago", "2026-03-05T12:00:00Z"),
        ("3 d ago", "2026-03-05T12:00:00Z"),
        ("5 min", "2026-03-08T11:55:00Z"),
        ("90 seconds ago", "2026-03-08T11:58:30Z"),
        ("1 y ago", "2025-03-08T12:00:00Z"),
    ],
)
def test_a_time_means(text: str, expected: str) -> None:
    assert rfc3339(parse_time(text, NOW)) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "20260301", "5ms", "3 fortnights", "-2h", "now-2h ago", "999999w", "2026-13-01", "2026"]
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time. Use 2026-03-31, .*Without a zone a time is in UTC"):
        parse_time(text, NOW)


def test_a_time_that_was_printed_to_the_second_includes_that_second() -> None:
    moved = NOW.replace(microsecond=400_000)
    assert parse_end_of(rfc3339(moved, "seconds"), NOW) > moved
    assert parse_end_of(rfc3339(moved), NOW) == moved
    assert parse_end_of("2026-03-01", NOW) == datetime(2026, 3, 1, tzinfo=UTC)


def test_the_future_is_refused_but_for_what_clocks_may_differ() -> None:
    check_past(NOW + timedelta(seconds=30), NOW)
    with pytest.raises(ValueError, match=r"2026-03-08T13:00:00Z is in the future. It is 2026-03-08T12:00:00Z now"):
        check_past(NOW + timedelta(hours=1), NOW)


def test_a_datetime_without_a_zone_is_in_utc() -> None:
    assert utc(datetime(2026, 3, 8, 12)) == NOW  # noqa: DTZ001 - the point
    assert utc(datetime(2026, 3, 8, 14, tzinfo=timezone(timedelta(hours=2)))) == NOW
