"""`kairos identity evaluate` finds what a plain count over a whole Kairos in memory finds, meets its aims, and says where it does not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connectors.simulator import simulate, truth
from schemas import topics
from streams import app
from streams.cli import main, policies, quality
from streams.identity.component import COMPONENT, settled
from streams.identity.policy import PolicyError
from streams.journeys import brand
from streams.journeys.identity_policy import identity_policy
from streams.language import rulebook
from streams.rows import NodeKey
from streams.settings import Settings
from tests.laws.memory import Memory
from tests.oracles import quality as oracle

Edit = Callable[[bytes], bytes]
POLICY = identity_policy(b"a secret of the tests", "GB")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six hundred people as they are."""
    return simulate(600, 5, tmp_path_factory.mktemp("plain")).truth_path.parent


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred people, most of whom mislead."""
    return simulate(200, 5, tmp_path_factory.mktemp("hard"), hard_cases={"": 0.9}, compressed=True).truth_path.parent


def _invoke(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["identity", *words], env={"KAIROS_SECRET": "a secret of the tests", **environment})


def test_what_is_found_is_what_a_whole_kairos_finds(hard: Path) -> None:
    found = quality.assess(hard, POLICY, lambda done: None)

    lines = gzip.decompress((hard / "interactions.jsonl.gz").read_bytes()).splitlines()
    memory = Memory(rulebook(brand), 1, batch=500)
    for line in lines:
        memory.produce(line)
    memory.run()
    known = truth.read(hard / "truth.jsonl")
    customer = _customers(memory)
    held, person = [], []
    told = {}
    for record in memory.inputs[topics.IDENTITY, 0]:
        assert record.value is not None and record.key is not None
        message = _message_id(record.value)
        if message is not None and message not in told:
            told[message] = record.key
            held.append(customer[record.key])
            person.append(known.sender[message])
    assert found.quality.interactions == len(held)
    assert (found.quality.pairs, found.quality.clusters) == oracle.scores(held, dict(enumerate(person)), person)


def _customers(memory: Memory) -> dict[NodeKey, NodeKey]:
    """The customer of each fragment."""
    rows = [COMPONENT.decode(row) for key, row in memory.rows[0].rows.items() if key.startswith(COMPONENT.tag)]
    return {fragment: one.canonical for row in rows for one in settled(row) for fragment in one.fragments}


def _message_id(value: bytes) -> str | None:
    from streams.identity import messages
    from streams.rows import decode_touch

    message = messages.decode(value)
    return decode_touch(message.touch).id if isinstance(message, messages.Event) else None


def test_the_aims_are_met_on_people_as_they_are(plain: Path) -> None:
    result = _invoke("evaluate", str(plain), "--json")
    said = json.loads(result.output)

    assert result.exit_code == 0
    pairs = said["tellable"]["pairs"]
    assert pairs["precision"] >= 0.999
    assert pairs["recall"] >= 0.99
    assert said["aims"]["met"]
    assert 0 < said["all"]["pairs"]["recall"] < pairs["recall"]


def test_errors_have_causes_and_nothing_generic_links(hard: Path) -> None:
    said = json.loads(_invoke("evaluate", str(hard), "--json").output)

    assert said["generic"] > 0
    assert said["genericThatLink"] == 0
    assert {"account", "family_email"} & set(said["causes"])
    assert sum(cause["false_pairs"] for cause in said["causes"].values()) == (
        said["tellable"]["pairs"]["claimed"] - said["tellable"]["pairs"]["right"]
    )
    assert {"blocked", "generic: links nobody"} <= {one["became"] for one in said["widest"]}


def test_missed_aims_exit_with_one_and_the_table_says_by_what(hard: Path) -> None:
    result = _invoke("evaluate", str(hard))

    assert result.exit_code == 1
    for words in ("pairs, what can be told", "cause of errors", "shared most", "Aims missed"):
        assert words in result.output


def test_a_policy_from_a_file_is_judged_instead(plain: Path, tmp_path: Path) -> None:
    loose = policies.written(POLICY)
    for kind in loose["types"]:
        kind["nobodys_if_contested"] = False
    file = tmp_path / "loose.json"
    file.write_text(json.dumps(loose))

    before = json.loads(_invoke("evaluate", str(plain), "--json").output)
    after = json.loads(_invoke("evaluate", str(plain), "--policy", str(file), "--json").output)

    assert after["tellable"]["pairs"]["precision"] <= before["tellable"]["pairs"]["precision"]
    assert after["refused"] != before["refused"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("p.json", "{", "cannot be read"),
        ("p.json", "[]", "a policy is an object"),
        ("p.json", '{"contested": "latest"}', "types: is missing"),
        ("p.toml", 'types = []\ncolour = "red"', "colour: is unknown"),
        ("p.toml", '[[types]]\nname = "email"\nstrength = "strong"\npriority = 1\nlimit = 0', "types.email.limit: at least 1"),
        ("p.toml", 'secret = "x"', "secret: it comes from the settings"),
        ("p.py", "x = 1", "defines no identity_policy"),
    ],
)
def test_a_wrong_policy_is_told_by_its_field(plain: Path, tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)

    result = _invoke("evaluate", str(plain), "--policy", str(tmp_path / name))

    assert result.exit_code == 1
    assert "The identity policy is wrong: " in result.output
    assert words in result.output


def test_a_policy_is_read_as_it_was_written_from_json_and_from_python(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(policies.written(POLICY)))
    (tmp_path / "p.py").write_text("from streams.journeys.identity_policy import identity_policy\n")

    assert "secret" not in policies.written(POLICY)
    assert app.policy_in(tmp_path / "p.json", POLICY) == POLICY
    assert app.policy_in(tmp_path / "p.py", POLICY) == POLICY


def test_a_directory_of_something_else_is_told_what_is_missing(tmp_path: Path) -> None:
    result = _invoke("evaluate", str(tmp_path))

    assert result.exit_code == 1
    assert "interactions.jsonl" in result.output


@pytest.mark.parametrize(
    ("of_truth", "of_interactions", "words"),
    [
        (lambda text: b"{oops\n" + text, lambda text: text, "truth.jsonl, line 1, is no line of a simulation's truth"),
        (lambda text: text.split(b"\n", 1)[1], lambda text: text, "are both of one simulation?"),
        (lambda text: text, lambda text: b"", "holds no interaction, so there is nothing to judge"),
    ],
)
def test_files_that_do_not_fit_together_are_told_and_meet_no_aims(
    plain: Path, tmp_path: Path, of_truth: Edit, of_interactions: Edit, words: str
) -> None:
    for name, edit in {"truth.jsonl": of_truth, "interactions.jsonl": of_interactions}.items():
        (tmp_path / name).write_bytes(edit((plain / name).read_bytes()))
    (tmp_path / "simulated.json").write_bytes(b"{oops")

    done = _invoke("evaluate", str(tmp_path))

    assert done.exit_code == 1
    assert words in " ".join(done.output.split())
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_a_wrong_policy_in_the_house_ends_a_command_with_its_field(monkeypatch: pytest.MonkeyPatch, plain: Path) -> None:
    def wrong(settings: Settings) -> None:
        raise PolicyError("types.email.limit: at least 1, or none")

    monkeypatch.setattr(app, "policy_of", wrong)
    result = _invoke("evaluate", str(plain))

    assert result.exit_code == 1
    assert "The identity policy is wrong: types.email.limit: at least 1, or none" in result.output


def test_a_worker_with_a_wrong_policy_does_not_wait_for_kafka(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def wrong(settings: Settings) -> None:
        raise PolicyError("contested: one of latest, first, none")

    monkeypatch.setattr(app, "policy_of", wrong)
    result = CliRunner().invoke(main, ["worker", "--broker", "127.0.0.1:1"], env={"KAIROS_DATA_DIR": str(tmp_path)})

    assert result.exit_code == 1
    assert "The identity policy is wrong: contested: one of latest, first, none" in result.output
    assert "connecting" not in result.output
