"""When a task comes again: the calendar, the clock, and rules that must cost nothing."""

from datetime import datetime, timedelta
from itertools import islice

import pytest
from dateutil import rrule
from hypothesis import example, given, strategies as st

from taskmanager.core.zones import zone
from taskmanager.features.tasks.recurrence.rules import Wall, parse

MAX_PERIODS = 146_097  # of a walk: the days of 400 years
BERLIN, NEW_YORK = zone("Europe/Berlin"), zone("America/New_York")


def following(text, due, place=None, number=3):
    """The dues that come after one."""
    rule, wall = parse(text), Wall.of(due, place)
    found, moment = [], wall.moment
    for _ in range(number):
        moment = rule.next(wall.moment, moment, place or zone("UTC"))
        if moment is None:
            break
        found.append(wall.like(moment))
    return found


@pytest.mark.parametrize(
    ("text", "due", "wanted"),
    [
        ("FREQ=DAILY", "2026-02-27", ["2026-02-28", "2026-03-01", "2026-03-02"]),
        ("FREQ=DAILY;INTERVAL=3", "2026-12-30", ["2027-01-02", "2027-01-05", "2027-01-08"]),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "2026-11-26", ["2026-11-27", "2026-11-30", "2026-12-01"]),
        ("FREQ=WEEKLY;BYDAY=MO,TH", "2026-11-24", ["2026-11-26", "2026-11-30", "2026-12-03"]),
        ("FREQ=WEEKLY;INTERVAL=2", "2026-11-24", ["2026-12-08", "2026-12-22", "2027-01-05"]),
        ("FREQ=MONTHLY", "2026-01-31", ["2026-03-31", "2026-05-31", "2026-07-31"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2027-12-31", ["2028-01-31", "2028-02-29", "2028-03-31"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2026-11-27", ["2026-12-25", "2027-01-29", "2027-02-26"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", "2026-11-02", ["2026-12-01", "2027-01-01", "2027-02-01"]),
        ("FREQ=YEARLY", "2028-02-29", ["2032-02-29", "2036-02-29", "2040-02-29"]),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "2026-11-26", ["2027-11-25", "2028-11-23", "2029-11-22"]),
        ("FREQ=DAILY;UNTIL=20261125", "2026-11-24", ["2026-11-25"]),
        ("rrule:freq=daily;until=20261124", "2026-11-24", []),
        ("FREQ=DAILY", "2026-11-24T09:30", ["2026-11-25T09:30:00", "2026-11-26T09:30:00", "2026-11-27T09:30:00"]),
    ],
)
def test_rules_follow_the_calendar(text, due, wanted):
    assert following(text, due) == wanted


@pytest.mark.parametrize(
    ("place", "text", "due", "wanted"),
    [
        (BERLIN, "FREQ=DAILY", "2026-10-24T09:00:00+02:00", ["2026-10-25T09:00:00+01:00", "2026-10-26T09:00:00+01:00"]),
        (BERLIN, "FREQ=DAILY", "2027-03-27T09:00:00+01:00", ["2027-03-28T09:00:00+02:00", "2027-03-29T09:00:00+02:00"]),
        # half past two is not on the clock that night, and there twice in autumn
        (BERLIN, "FREQ=DAILY", "2027-03-27T02:30:00+01:00", ["2027-03-28T03:30:00+02:00", "2027-03-29T02:30:00+02:00"]),
        (BERLIN, "FREQ=DAILY", "2026-10-24T02:30:00+02:00", ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
        (NEW_YORK, "FREQ=WEEKLY", "2026-10-27T18:00-04:00", ["2026-11-03T18:00:00-05:00", "2026-11-10T18:00:00-05:00"]),
        (NEW_YORK, "FREQ=DAILY", "2027-03-13T23:30:00Z", ["2027-03-14T18:30:00-04:00", "2027-03-15T18:30:00-04:00"]),
        (None, "FREQ=DAILY", "2026-10-24T09:00:00+02:00", ["2026-10-25T09:00:00+02:00", "2026-10-26T09:00:00+02:00"]),
        (BERLIN, "FREQ=DAILY;UNTIL=20261025T080000Z", "2026-10-24T09:00:00+02:00", ["2026-10-25T09:00:00+01:00"]),
    ],
)  # fmt: skip
def test_rules_stay_on_the_clock_of_their_zone(place, text, due, wanted):
    assert following(text, due, place, 2) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "DAILY",
        "FREQ=HOURLY",
        "FREQ=SECONDLY;COUNT=5",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=DAILY;BYMONTHDAY=1",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=MONTHLY;BYDAY=XX",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=YEARLY;BYMONTH=-1",
        "FREQ=MONTHLY;BYSETPOS=1",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=366",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=1000",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=2;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=2027",
        "FREQ=DAILY;UNTIL=20270230",
        "FREQ=DAILY;WKST=XX",
        "FREQ=DAILY\nFREQ=DAILY",
        "DTSTART=20260101;FREQ=DAILY",
        "FREQ=MONTHLY;BYMONTHDAY=" + ",".join(["1"] * 41),
        "FREQ=DAILY;" + "X" * 600,
        "FREQ=DAILY;INTERVAL=\u0661",
    ],
)
def test_rules_that_are_none_or_too_dear_are_refused(text):
    with pytest.raises(ValueError, match=r".+\."):
        parse(text)


_days = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
_some_days = st.lists(st.builds("{}{}".format, st.sampled_from(["", "1", "-1", "5"]), _days), max_size=3)
_parts = st.fixed_dictionaries(
    {"FREQ": st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])},
    optional={
        "INTERVAL": st.integers(1, 999).map(str),
        "BYDAY": _some_days.map(",".join),
        "BYMONTHDAY": st.lists(st.integers(-31, 31).map(str), max_size=3).map(",".join),
        "BYMONTH": st.lists(st.integers(0, 13).map(str), max_size=3).map(",".join),
        "BYSETPOS": st.integers(-6, 6).map(str),
        "WKST": _days,
    },
)  # fmt: skip


@given(_parts, st.datetimes(datetime(1990, 1, 1), datetime(9998, 12, 31)))
def test_whatever_rule_is_taken_goes_forward_and_ends_soon(parts, start):
    try:
        rule = parse(";".join(f"{name}={value}" for name, value in parts.items()))
    except ValueError:
        return
    moment = start.replace(microsecond=0)
    for _ in range(3):
        following = rule.next(start.replace(microsecond=0), moment, BERLIN)
        if following is None:
            return
        assert following > moment
        moment = following
    assert parse(rule.text()) == rule


@given(_parts, st.datetimes(datetime(1990, 1, 1), datetime(2100, 12, 31)), st.integers(0, 40_000))
@example({"FREQ": "YEARLY"}, datetime(1999, 1, 1), 0)
def test_a_walk_that_begins_late_finds_what_the_whole_walk_finds(parts, start, days):
    try:
        rule = parse(";".join(f"{name}={value}" for name, value in parts.items()))
    except ValueError:
        return
    start = start.replace(microsecond=0)
    after = start + timedelta(days=days)
    whole = rrule.rrulestr(rule.text(), dtstart=start).replace(until=datetime(2200, 12, 31, 23, 59, 59))
    found = list(islice(rule.upcoming(start, after, BERLIN), 5))
    wanted = list(whole.xafter(after, count=5))
    assert found == wanted  # rules end with the year 2200


@pytest.fixture
def periods(monkeypatch):
    """How many periods (days, weeks, months or years) the rules of a test walk through."""
    walked, rebuild = [], rrule._iterinfo.rebuild
    monkeypatch.setattr(
        rrule._iterinfo, "rebuild", lambda self, *period: walked.append(period) or rebuild(self, *period)
    )
    return walked


def test_all_that_is_to_be_expected_is_found_in_one_walk(periods):
    start = datetime(2026, 11, 24)
    assert len(list(islice(parse("FREQ=DAILY").upcoming(start, start, BERLIN), 366))) == 366
    assert len(periods) < 400


@pytest.mark.parametrize("freq", ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
def test_what_began_long_ago_is_not_walked_through(periods, freq):
    following = parse(f"FREQ={freq}").next(datetime(26, 1, 1), datetime(2026, 11, 24), BERLIN)
    assert following > datetime(2026, 11, 24)
    assert len(periods) < 5


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30,31",
        "FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=2",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYDAY=1MO,2TU,-1FR;BYSETPOS=5,-5",
    ],
)
def test_a_search_that_finds_nothing_ends(periods, text):
    assert parse(text).next(datetime(2026, 11, 24), datetime(2026, 11, 24), BERLIN) is None
    assert len(periods) < MAX_PERIODS
