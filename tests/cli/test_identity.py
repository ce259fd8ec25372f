"""What `kairos identity` says: of a call that cannot work what is wrong, of a receipt what holds now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streams.cli import identity, main

ANN, SHOP = "email:ann@kairos.shop", "crm_id:17850"
ORDER = {"id": "one", "actor": "ben", "at": "2026-03-02T09:00:00Z", "reason": "a family"}


def _invoke(directory: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["identity", *words], env={"KAIROS_DATA_DIR": str(directory)})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("unlink", ANN, SHOP), "Missing option '--why'"),
        (("unlink", ANN, SHOP, "--why", " "), "--why is empty"),
        (("unlink", ANN, "email: ANN@kairos.shop", "--why", "x"), "are the same identifier"),
        (("allow", ANN, "17850", "--why", "x"), "write it as TYPE:VALUE"),
        (("generic", "shoe:42", "--why", "x"), "one of these types: user_id, crm_id"),
        (("generic", "crm_id:null", "--why", "x"), "as crm_id it is junk"),
        (("link", ANN, ANN, "--why", "x"), "are the same identifier"),
        (("unmark", ANN), "Missing option '--why'"),
        (("export", ANN, "--why", "x"), "Missing option '--to'"),
        (("export", ANN, "--why", "x", "--to", __file__), "is there already: name a new file"),
        (("export", ANN, "--why", "x", "--to", "/no/such/folder/ann.json"), "there is no directory /no/such/folder"),
        (("diff",), "Missing option '--policy'"),
    ],
)
def test_a_call_that_cannot_work_says_what_is_wrong(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    result = _invoke(tmp_path, *words)

    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_an_erasure_asks_before_it_forgets(tmp_path: Path) -> None:
    result = _invoke(tmp_path, "erase", ANN, "--why", "x")

    assert result.exit_code == 1
    assert f"Forget whoever holds {ANN}, for ever?" in result.output


def _said(kind: str, came: list[str], into: list[str], **more: Any) -> list[str]:
    receipt = {"kind": kind, "from": came, "into": into, "command": ORDER, **more}
    return [line.strip() for line in identity.said(receipt, (ANN, SHOP)).plain.splitlines()]


def test_a_receipt_says_what_holds_whom_it_changed_and_by_whose_order() -> None:
    by = "command one by ben, 2026-03-02T09:00:00Z: a family"

    assert _said("cannot_link", ["ca"], ["ca", "cb"], holds=True) == [f"{ANN} and {SHOP} are kept apart.", "ca → ca and cb", by]
    assert _said("allow_link", ["ca", "cb"], ["ca"], holds=True)[1] == "ca and cb → ca"
    assert _said("mark_generic", ["ca"], ["ca"], holds=True)[1] == "Nobody was parted or joined: ca."
    stayed = "The same customers as before, though identifiers may have gone from one to another: ca, cb."
    assert _said("allow_link", ["ca", "cb"], ["ca", "cb"], holds=True)[1] == stayed
    assert _said("link", ["ca", "cb"], ["ca"], holds=True)[:2] == [f"{ANN} and {SHOP} are one customer's.", "ca and cb → ca"]
    assert _said("unmark", ["ca", "cb"], ["ca"], holds=True)[0].endswith("links again.")
    assert _said("export", ["ca"], ["ca"], holds=True)[:2] == [f"What is held about {ANN} and {SHOP} was written.", "ca"]
    assert _said("cannot_link", [], [], holds=True)[1] == "No customer holds them yet; it holds for whoever will."
    assert _said("erasure", ["ca"], [], deleted={"interactions": 3, "links": 1})[1] == "ca; deleted: 3 interactions, 1 links"
    assert _said("allow_link", ["ca"], ["ca"], holds=False)[0].startswith(f"Not carried out: a later command about {ANN} and {SHOP} holds.")
