"""Deliveries as a receiver meets them, on a real Kafka: signed, in order, again until they are taken, and one endpoint's trouble is no other's."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from standardwebhooks import Webhook

from connectors.consumer import read_topic
from connectors.runtime.notices import Notices, Switches
from schemas import topics
from schemas.delivery import DeadDelivery, EndpointSwitch
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli import main
from streams.cli.topics import declared
from tests.connectors.deliveries import SECONDS_MAX, SECRET, Answer, DeliverRun, Got, Receiver, in_order, moments, publish, wait_for
from tests.connectors.outputs import moment, profile

PEOPLE = [f"c{letter * 26}" for letter in "abcdefgh"]


def dead(kafka: EmbeddedBroker, endpoint: str) -> list[DeadDelivery]:
    found = (msgspec.json.decode(record.value or b"", type=DeadDelivery) for record in read_topic(kafka.bootstrap, topics.DEAD_DELIVERIES))
    return [letter for letter in found if letter.endpoint == endpoint]


def test_what_is_released_arrives_signed_in_each_customers_order_and_nothing_else_does(
    broker: EmbeddedBroker, tmp_path: Path, app_id: str
) -> None:
    several = [moment(app_id, number, PEOPLE[number % 8]) for number in range(200)]
    held_back = [
        moment(app_id, 900, replayed=True),
        moment(app_id, 901, status="suppressed", reason="cap"),
        moment(app_id, 902, expires_at="2026-01-01T00:00:00Z"),
        moment(app_id, 903, status="retracted", retracts=f"{app_id}-901", reason="cap", revision=2),
        moment("another", 904),
    ]
    taken_back = moment(app_id, 999, PEOPLE[0], status="retracted", retracts=f"{app_id}-0", revision=2, expires_at="2026-01-01T00:00:00Z")
    with Receiver() as crm, DeliverRun(broker, tmp_path, app_id, {"crm": {"url": crm.url, "moments": [app_id]}}):
        publish(broker, moments([*held_back, *several, taken_back]))
        wait_for(lambda: len(crm.got) == 201)

        assert sorted(crm.ids()) == sorted([*(f"{app_id}-{number}-1" for number in range(200)), f"{app_id}-999-2"])
        assert in_order(crm.got)
        last = next(got for got in crm.got if got.data["id"].endswith("-999"))
        assert (last.body["type"], last.data["retracts"]) == ("moment.retracted", f"{app_id}-0")


def test_a_dead_endpoint_lags_and_slows_no_other(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    several = [moment(app_id, number, f"c{number:026}") for number in range(1_500)]
    with Receiver() as good, Receiver(lambda _: Answer(500)) as bad, Receiver(lambda _: Answer(after_seconds=300)) as hung:
        endpoints = {name: {"url": url, "moments": [app_id]} for name, url in (("good", good.url), ("bad", bad.url), ("hung", hung.url))}
        endpoints["closed"] = {"url": "http://127.0.0.1:1/", "moments": [app_id]}
        with DeliverRun(broker, tmp_path, app_id, endpoints) as run:
            start = time.monotonic()
            publish(broker, moments(several))
            wait_for(lambda: len(good.got) == 1_500)
            seconds = time.monotonic() - start
            broken: set[str] = set()
            while not {"bad", "closed"} <= broken:
                broken.add(run.hear("broken")["endpoint"])
            wait_for(lambda: run.command("status")[0]["undone"] == 0)
            rows = {row["endpoint"]: row for row in run.command("status")}
            run.kill()

    assert "good" not in broken
    assert seconds < SECONDS_MAX < 300, "nobody waited for the one that hangs"
    assert len(bad.got) < 20, "its breaker is open"
    assert (rows["good"]["unread"], rows["good"]["undone"]) == (0, 0)
    assert all(500 <= rows[name]["undone"] <= 700 for name in ("bad", "closed")), "what is in hand is bounded, the rest is Kafka's"
    assert rows["bad"]["unread"] + rows["bad"]["undone"] >= 1_500


@pytest.mark.faults
def test_too_many_requests_holds_all_of_them_for_as_long_as_is_asked(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    answers = itertools.chain([Answer(429, {"Retry-After": "2"})], itertools.repeat(Answer()))
    with Receiver(lambda _: next(answers)) as crm, DeliverRun(broker, tmp_path, app_id, {"crm": {"url": crm.url, "concurrency": 1}}):
        publish(broker, moments(moment(app_id, number, PEOPLE[number]) for number in range(3)))
        wait_for(lambda: len(crm.got) == 4)

    assert crm.got[1].at - crm.got[0].at > 1.9
    assert len(crm.ids()) == 3


def test_what_fails_again_and_again_is_a_dead_letter_and_then_its_customer_goes_on(
    broker: EmbeddedBroker, tmp_path: Path, app_id: str
) -> None:
    def answer(got: Got) -> Answer:
        return Answer({0: 500, 1: 422}.get(int(got.data["id"].rsplit("-", 1)[1]), 204))

    with Receiver(answer) as crm, DeliverRun(broker, tmp_path, app_id, {"crm": {"url": crm.url, "retry_hours": 1.0 / 3600}}):
        publish(broker, [*moments([moment(app_id, 0), moment(app_id, 1)]), (topics.MOMENTS, PEOPLE[0], "odd", b'{"moment": 7}')])
        publish(broker, moments([moment(app_id, 2), moment(app_id, 3, PEOPLE[1])]))
        wait_for(lambda: f"{app_id}-2-1" in crm.ids() and f"{app_id}-3-1" in crm.ids())
        letters = {letter.id: letter for letter in dead(broker, "crm") if letter.id.startswith(app_id) or letter.id == "odd"}

    attempts = [got for got in crm.got if got.data["id"] == f"{app_id}-0"]
    failed = letters[f"{app_id}-0-1"]
    assert (failed.reason, failed.detail, failed.attempts) == ("given_up", "HTTP 500", len(attempts))
    assert len(attempts) >= 2
    assert (letters[f"{app_id}-1-1"].reason, letters[f"{app_id}-1-1"].attempts) == ("refused", 1)
    assert letters["odd"].reason == "unreadable"
    assert in_order(crm.got)


@pytest.mark.faults
def test_gone_switches_an_endpoint_off_until_it_is_switched_on_again(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    name = app_id.replace("test-", "crm-")
    with Receiver(lambda _: Answer(410)) as crm:
        run = DeliverRun(broker, tmp_path, app_id, {name: {"url": crm.url, "moments": [app_id]}})
        with run:
            publish(broker, moments([moment(app_id, 0)]))
            run.hear("disabled")
        crm.answer = lambda _: Answer()
        with run:
            publish(broker, moments([moment(app_id, 1)]))
            (row,) = run.command("status")
            assert (row["state"], row["why"]) == ("disabled", "HTTP 410")
            assert run.asked("replay", "--endpoint", name, "--from", "2026-01-01T00:00:00Z").returncode == 1
            assert len(crm.got) == 1
            assert run.asked("enable", name, "--why", "mended").returncode == 0
            wait_for(lambda: len(crm.got) == 3)

    assert crm.ids() == [f"{app_id}-0-1", f"{app_id}-1-1"]


def test_what_is_switched_by_hand_holds_whatever_the_clocks_say(broker: EmbeddedBroker, app_id: str) -> None:
    admin.create_topics(broker.bootstrap, declared(2))
    gone = EndpointSwitch(endpoint=app_id, state="disabled", since="2098-01-01T00:00:00Z", by="endpoint", why="HTTP 410")
    asyncio.run(Notices(broker.bootstrap).switch(gone))

    done = [
        CliRunner().invoke(main, ["deliver", "enable", name, "--why", "mended", "--broker", broker.bootstrap]) for name in (app_id, "crmm")
    ]

    switches = Switches(broker.bootstrap)
    switches.close()
    found = switches.states[app_id]
    assert (found.state, found.why) == ("enabled", "mended")
    assert datetime.fromisoformat(found.since) > datetime.fromisoformat(gone.since)
    assert [one.exit_code for one in done] == [0, 0]
    assert ["is it called so?" in one.output for one in done] == [False, True]


@pytest.mark.faults
def test_what_was_said_since_a_time_is_sent_again_under_the_same_ids(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    with Receiver() as crm, DeliverRun(broker, tmp_path, app_id, {"crm": {"url": crm.url, "moments": [app_id]}}) as run:
        publish(broker, moments(moment(app_id, number, PEOPLE[number % 8]) for number in range(40)))
        publish(broker, moments([moment(app_id, 40, replayed=True), moment(app_id, 41, expires_at="2026-01-01T00:00:00Z")]))
        wait_for(lambda: len(crm.got) == 40)

        told = run.command("replay", "--endpoint", "crm", "--from", "2026-01-01T00:00:00Z")
        assert (told["delivered"], told["expired"]) == (40, 1)
        assert [sorted(got.id for got in crm.got if got.before == times) for times in (0, 1)] == [sorted(crm.ids())] * 2

        told = run.command("replay", "--endpoint", "crm", "--from", "2026-01-01T00:00:00Z", "--expired", "--replayed")
        assert told["delivered"] == 42
        assert run.command("replay", "--endpoint", "crm", "--from", "2098-01-01T00:00:00Z").get("delivered", 0) == 0


def test_a_private_address_is_refused_also_behind_a_name_and_a_redirect_is_not_followed(
    broker: EmbeddedBroker, tmp_path: Path, app_id: str
) -> None:
    with Receiver() as inside, Receiver(lambda _: Answer(302, {"Location": inside.url})) as moved:
        named = inside.url.replace("http://127.0.0.1", "https://localhost")
        endpoints = {"named": {"url": named, "allow_private_addresses": False}, "moved": {"url": moved.url}}
        with DeliverRun(broker, tmp_path, app_id, endpoints) as run:
            publish(broker, moments(moment(app_id, number, f"c{number:026}") for number in range(8)))
            broken = {run.hear("broken")["endpoint"]: run.said[-1]["text"] for _ in range(2)}

    assert set(broken) == {"named", "moved"}
    assert "is a private address, which is refused" in broken["named"]
    assert broken["moved"] == "HTTP 302"
    assert inside.got == []


def test_a_kill_in_the_midst_loses_nothing_and_the_ids_stay_the_same(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    several = [moment(app_id, number, PEOPLE[number % 8]) for number in range(400)]
    with Receiver(lambda _: Answer(after_seconds=0.02)) as crm:
        run = DeliverRun(broker, tmp_path, app_id, {"crm": {"url": crm.url, "moments": [app_id]}}).start()
        publish(broker, moments(several))
        for reached in (60, 160):
            wait_for(lambda reached=reached: len(crm.ids()) >= reached)
            run.kill()
            run.start()
        wait_for(lambda: len(crm.ids()) == 400)
        run.stop()

    assert set(crm.ids()) == {f"{app_id}-{number}-1" for number in range(400)}
    assert len(crm.got) < 800, "what was committed is not sent again"
    assert in_order(crm.got)


@pytest.mark.faults
def test_one_customers_trouble_holds_up_no_other_and_outlives_a_kill(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    def answer(got: Got) -> Answer:
        return Answer(500 if got.data["customerId"] == PEOPLE[0] else 204)

    with Receiver(answer) as crm:
        run = DeliverRun(broker, tmp_path, app_id, {"crm": {"url": crm.url, "moments": [app_id]}}).start()
        publish(broker, moments(moment(app_id, number, PEOPLE[number % 4]) for number in range(400)))
        wait_for(lambda: len(crm.ids()) == 301)
        wait_for(lambda: run.command("status")[0]["undone"] == 100)
        (row,) = run.command("status")
        run.kill()
        before = len(crm.got)
        run.start()
        wait_for(lambda: len(crm.got) > before)
        crm.answer = lambda _: Answer()
        wait_for(lambda: len(crm.ids()) == 400)
        run.stop()

    assert (row["unread"], row["undone"], row["tried"]) == (0, 100, 1)
    again = [got for got in crm.got if got.before and got.data["customerId"] != PEOPLE[0]]
    assert not again, "what others have had before the kill is noted beside the offset"
    assert in_order(crm.got)


def test_other_topics_go_out_as_well_and_both_secrets_sign(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    new = "whsec_" + "N" * 40
    (tmp_path / "new").write_text(new)
    table: dict[str, Any] = {"topics": ["profiles"], "secrets": ["file:new", "env:HOOK_SECRET"]}
    with Receiver() as old_receiver, Receiver(secret=new) as new_receiver:
        endpoints = {"one": {**table, "url": old_receiver.url}, "two": {**table, "url": new_receiver.url}}
        with DeliverRun(broker, tmp_path, app_id, endpoints):
            customer = "c" + app_id[-12:] * 2 + "aa"
            publish(
                broker, [(topics.PROFILES, customer, f"{app_id}-1", profile(customer)), (topics.PROFILES, customer, f"{app_id}-2", None)]
            )
            for receiver in (old_receiver, new_receiver):
                wait_for(lambda receiver=receiver: len(receiver.got) == 2)
                assert [got.body["type"] for got in receiver.got] == ["profile.changed", "profile.ended"]
                assert receiver.got[1].data == {"customerId": customer}


def test_its_pages_say_how_it_goes(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    with Receiver() as crm:
        run = DeliverRun(broker, tmp_path, app_id, {"crm": {"url": crm.url, "moments": [app_id]}}).start("--metrics-port", "0")
        page = run.said[-1]["text"].rsplit("; ", 1)[1]
        publish(broker, moments([moment(app_id, 0)]))
        wait_for(lambda: crm.got)

        def told() -> str:
            return urllib.request.urlopen(page).read().decode()

        wait_for(lambda: 'kairos_deliveries_total{endpoint="crm",outcome="delivered"} 1.0' in told())
        assert 'kairos_delivery_seconds_count{endpoint="crm"} 1.0' in told()
        assert json.loads(urllib.request.urlopen(page.replace("metrics", "readyz")).read()) == {"status": "ready"}
        assert json.loads(urllib.request.urlopen(page.replace("metrics", "healthz")).read()) == {"status": "alive"}
        run.stop()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "which endpoints?"),
        (("--endpoints", "FILE", "--only", "nobody"), "there is no endpoint 'nobody'"),
        (("status", "--endpoints", "nowhere.toml"), "nowhere.toml: No such file"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    file = tmp_path / "endpoints.toml"
    file.write_text('[endpoints.crm]\nurl = "https://crm.example"\nsecrets = ["env:HOOK_SECRET"]\n')

    done = CliRunner().invoke(main, ["deliver", *(str(file) if word == "FILE" else word for word in words)], env={"HOOK_SECRET": SECRET})

    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_a_secret_that_is_made_signs() -> None:
    made = CliRunner().invoke(main, ["deliver", "secret"]).output.strip()

    assert Webhook(made).sign("id", datetime.now(UTC), "{}")
    assert made != CliRunner().invoke(main, ["deliver", "secret"]).output.strip()
