"""When to try again: longer each time, by chance, within bounds; and an endpoint that fails is only probed."""

from connectors.runtime.patience import HOUR, Breaker, Patience


def test_pauses_double_with_jitter_and_last_hours() -> None:
    patience = Patience()
    longest = [patience.pause(attempts, 1.0) for attempts in range(1, 40)]

    assert longest[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(longest) == patience.pause(10_000, 1.0) == HOUR
    assert all(patience.pause(attempts, 0.0) == longest[attempts - 1] / 2 for attempts in range(1, 40))
    assert sum(longest[:30]) > 12 * HOUR


def test_first_attempts_that_fail_open_the_breaker_and_a_probe_closes_it() -> None:
    breaker = Breaker(failures_max=3, open_seconds=10.0, open_seconds_max=15.0)

    opened = [breaker.failed(0.0, is_first=True, is_probe=False) for _ in range(3)]

    assert opened == [False, False, True]
    assert (breaker.passes(9.9), breaker.passes(10.0)) == ("none", "one")
    breaker.probe()
    assert breaker.passes(100.0) == "none", "one at a time"
    breaker.failed(100.0, is_first=False, is_probe=True)
    assert (breaker.passes(114.9), breaker.passes(115.0)) == ("none", "one"), "longer, but no longer than the most"
    assert breaker.succeeded()
    assert breaker.passes(115.0) == "all"
    assert not breaker.succeeded()


def test_a_request_that_fails_again_where_others_pass_opens_nothing() -> None:
    breaker = Breaker(failures_max=2)

    assert not any(breaker.failed(0.0, is_first=False, is_probe=False) for _ in range(100))
    breaker.failed(0.0, is_first=True, is_probe=False)
    breaker.succeeded()
    assert not breaker.failed(0.0, is_first=True, is_probe=False), "one that passed between them has shown that it is there"


def test_what_was_under_way_when_it_opened_does_not_keep_it_open_for_longer() -> None:
    breaker = Breaker(failures_max=1, open_seconds=10.0)
    breaker.failed(0.0, is_first=True, is_probe=False)

    breaker.failed(9.0, is_first=True, is_probe=False)

    assert breaker.passes(10.0) == "one"


def test_a_probe_that_is_never_answered_makes_room_for_the_next() -> None:
    breaker = Breaker(failures_max=1, open_seconds=1.0)
    breaker.failed(0.0, is_first=True, is_probe=False)
    breaker.probe()

    breaker.abandon()

    assert breaker.passes(1.0) == "one"
