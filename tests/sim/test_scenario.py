"""The grammar of text scenarios: every word is understood, every mistake is told with its line."""

from pathlib import Path

import pytest

from cart.sim import actions as act
from cart.sim.scenario import EXPECTED, VERBS, ScenarioError, parse

UNDERSTOOD = [
    ("scan milk", act.Scan("milk")),
    ("scan arla standard milk on a phone", act.Scan("arla standard milk", still=True)),
    ("put milk", act.Put((act.Thing("milk"),))),
    ("put 3 milk and banana 0.850 kg quickly", act.Put((act.Thing("milk", 3), act.Thing("banana", 1, 850_000)), True)),
    ("take milk 1035 g", act.Take((act.Thing("milk", 1, 1_035_000),))),
    ("lean 2.0 kg for 1.5 s", act.Lean(2_000_000, 1_500)),
    ("lean -0.3 kg", act.Lean(-300_000)),
    ("let go", act.Lean(0)),
    ("bump", act.Bump()),
    ("move 1.0 m/s tiles", act.Move(1_000, "tiles")),
    ("stand", act.Move(0)),
    ("look banana as lemon", act.Look("banana", "lemon")),
    ("look banana as nothing", act.Look("banana", "")),
    ("label oats on steak", act.Label("oats", "steak")),
    ("label nothing on steak", act.Label("", "steak")),
    ("unplug", act.Device("scale", "unplugged")),
    ("unplug camera", act.Device("camera", "unplugged")),
    ("replug scale", act.Device("scale", "well")),
    ("silence", act.Device("scale", "silent")),
    ("cover", act.Device("camera", "covered")),
    ("cut network", act.Device("network", "unplugged")),
    ("restore", act.Device("network", "well")),
    ("restart", act.Restart()),
    ("tap checkout", act.Tap("checkout")),
    ("tap answer God Morgon", act.Tap("answer", "God Morgon")),
    ("press help", act.Press("help")),
    ("exit", act.Exit("gate")),
    ("exit lane", act.Exit("lane")),
    ("wait 2 s", act.Wait(2_000)),
    ("wait 1.5 min", act.Wait(90_000)),
    ("seed 9", act.Setting("seed", 9)),
    ("idle", act.Setting("idle")),
    ("expect basket 2 milk and bread", act.Expect("basket", (act.Thing("milk", 2), act.Thing("bread")))),
    ("expect basket empty", act.Expect("basket")),
    ("expect asked nothing", act.Expect("asked", number=0)),
    ("expect asked 2", act.Expect("asked", number=2)),
    ("expect asked scan_it or wrong_label", act.Expect("asked", words=("scan_it", "wrong_label"))),
    ("expect prompt none", act.Expect("prompt")),
    ("expect no flag unscanned within 3 s", act.Expect("flag", words=("unscanned",), absent=True, within_ms=3_000)),
    ("expect flags none", act.Expect("flag", absent=True)),
    ("expect notice offline now", act.Expect("notice", words=("offline",), now=True)),
    ("expect total 12.34", act.Expect("total", number=1_234)),
    ("expect charged nothing", act.Expect("charged")),
]


@pytest.mark.parametrize(("line", "action"), UNDERSTOOD, ids=[line for line, _ in UNDERSTOOD])
def test_a_line_means(line, action):
    assert [parsed.action for parsed in parse(line)] == [action]


def test_a_product_is_defined_with_all_that_can_be_said_of_it():
    (line,) = parse('product milk 1.29 each 1035 g sd 5 g name "Milk 1 l" label Milk code 9521000000018 plu 4011')
    defined = line.action
    assert defined == act.Define("milk", "Milk 1 l", "piece", 129, 1_035_000, 5_000, "Milk", "9521000000018", "4011")


def test_comments_and_blank_lines_are_skipped_and_lines_keep_their_numbers():
    assert [line.number for line in parse("# a\n\nscan milk  # b\n\nwait 1 s")] == [3, 5]


MISTAKES = [
    ("scna milk", "did you mean 'scan'"),
    ("tap chekout", "did you mean 'checkout'"),
    ("expect baskt milk", "did you mean 'basket'"),
    ("unplug scael", "did you mean 'scale'"),
    ("product milk 1.29 each 1 kg labl x", "did you mean 'label'"),
    ("put", "a product is missing"),
    ("put 3 kg", "a product is missing"),
    ("put 51 milk", "1 to 50"),
    ("wait 3", "a number and s, ms or min"),
    ("wait 2 h", "a number and s, ms or min"),
    ("wait 61 min", "one hour"),
    ("lean two kg", "is not a number"),
    ("lean nan kg", "is not a number"),
    ("lean 101 kg", "100 kg"),
    ("move 9 m/s", "3 m/s"),
    ("move fast", "say: move"),
    ("look banana", "'as' is missing"),
    ("label oats", "'on' is missing"),
    ("expect total 1.234", "two decimals"),
    ('scan "milk', "no closing quotation"),
    ("press start", "press help"),
]


@pytest.mark.parametrize(("line", "reason"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_told_with_its_line(line, reason):
    with pytest.raises(ScenarioError) as caught:
        parse(f"wait 1 s\n{line}")
    assert caught.value.line == 2
    assert reason in caught.value.reason


def test_every_word_of_the_grammar_is_on_its_page(repository: Path):
    text = (repository / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")
    page = text.partition("## Scenarios")[2].partition("\n## ")[0]
    missing = [word for word in (*VERBS, *(f"expect {what}" for what in EXPECTED)) if f"`{word}" not in page]
    assert page
    assert not missing
