"""When a source of status counts as stale, and when as back."""

from __future__ import annotations

import pytest

from runai_operator.domain.errors import AccessDenied, Unavailable
from runai_operator.domain.freshness import CALM, Source

DOWN = Unavailable("Run:ai cannot be reached.")


def live(source, seconds, *, down, begin=0.0, step=5.0):
    """The source after so long a time, and how often it changed."""
    changes, now = 0, begin
    while now < begin + seconds:
        now += step
        seen = source.seen(now=now, silent_for=now - begin if down else 0.0, trouble=DOWN if down else None)
        changes += (seen.stale is None) is not (source.stale is None)
        source = seen
    return source, changes


@pytest.mark.parametrize(
    ("silent_for", "trouble", "expected"),
    [
        pytest.param(0.0, None, False, id="it answers"),
        pytest.param(59.0, DOWN, False, id="silent for less than a minute"),
        pytest.param(60.0, DOWN, True, id="silent for a minute"),
        pytest.param(3600.0, None, False, id="not asked for long, and nothing is wrong"),
    ],
)
def test_a_source_is_stale_after_a_minute_of_trouble(silent_for, trouble, expected):
    seen = Source(60.0).seen(now=1000.0, silent_for=silent_for, trouble=trouble)

    assert (seen.stale is not None) is expected


def test_it_keeps_the_words_of_the_trouble_that_made_it_stale():
    source = Source(60.0).seen(now=100.0, silent_for=60.0, trouble=DOWN)
    later = source.seen(now=200.0, silent_for=160.0, trouble=AccessDenied("HTTP 403"))

    assert (later.stale.message, later.stale.condition_reason) == (DOWN.message, "RunaiUnavailable")


def test_after_an_outage_it_is_back_at_once():
    source, _ = live(Source(60.0), 3600, down=True)
    source = source.seen(now=3605.0, silent_for=0.0, trouble=None)

    assert source.stale is None


def test_one_that_comes_and_goes_is_stale_until_it_answers_steadily():
    source, changes, now = Source(60.0), 0, 0.0
    for _ in range(100):
        for seconds, down in ((90, True), (30, False)):
            source, changed = live(source, seconds, down=down, begin=now)
            changes, now = changes + changed, now + seconds

    assert changes <= 3
    assert source.stale is not None
    source, _ = live(source, CALM + 10, down=False, begin=now)
    assert source.stale is None


def test_after_calm_it_is_believed_at_once_again():
    source, changes = Source(60.0), 0
    for begin in range(0, 100_000, 2000):
        source, gone = live(source, 100, down=True, begin=begin)
        source, back = live(source, 10, down=False, begin=begin + 100)
        assert source.stale is None
        source, _ = live(source, CALM + 100, down=False, begin=begin + 110)
        changes += gone + back

    assert changes == 100


def test_the_oftener_it_falls_silent_soon_after_its_return_the_longer_it_has_to_answer():
    source, now, lasted = Source(60.0), 0.0, []
    for _ in range(7):
        source, now = source.seen(now=now + 90.0, silent_for=60.0, trouble=DOWN), now + 90.0
        began = now = now + 1.0
        while (source := source.seen(now=now, silent_for=0.0, trouble=None)).stale is not None:
            now += 1.0
        lasted.append(now - began)

    assert lasted == [0.0, 60.0, 120.0, 240.0, 480.0, CALM, CALM]


def test_what_it_answered_before_it_fell_silent_again_does_not_count():
    """A second time within the calm, it has to answer for a minute."""
    source = Source(60.0, stale=DOWN, flaps=1)
    answers = (True, False, True, True)
    for now, answers_now in zip((0.0, 59.0, 60.0, 119.0), answers, strict=True):
        source = source.seen(now=now, silent_for=0.0, trouble=None if answers_now else DOWN)

    assert source.stale is not None
    assert source.seen(now=120.0, silent_for=0.0, trouble=None).stale is None


def test_an_error_that_is_kept_holds_no_traceback():
    """It would keep alive all that the call had at hand."""
    try:
        raise DOWN.twin()
    except Unavailable as error:
        source = Source(60.0).seen(now=100.0, silent_for=60.0, trouble=error)

    assert source.stale.__traceback__ is None
