"""`cart camera`: what scripts get for good photos, bad ones and labels that do not exist."""

import json
import os

import cv2
import numpy as np
import pytest

from cart.__main__ import main
from cart.edge.classifier import runtime_module
from cart.faults import Fault


@pytest.fixture
def photo(tmp_path):
    """Something that a camera might see: smooth colours, no code."""
    x, y = np.meshgrid(np.linspace(0, 255, 320), np.linspace(0, 255, 240))
    path = tmp_path / "colours.png"
    cv2.imwrite(str(path), np.dstack([x, y, 255 - x]).astype(np.uint8))
    return str(path)


@pytest.fixture
def bad_photos(tmp_path):
    """Empty, no picture, torn, absent, a folder, a pipe that nobody writes to."""
    torn = cv2.imencode(".png", np.zeros((50, 50, 3), np.uint8))[1].tobytes()[:60]
    for name, content in {"empty.jpg": b"", "text.jpg": b"no picture", "torn.png": torn}.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe.jpg")
    return [str(tmp_path / name) for name in ("empty.jpg", "text.jpg", "torn.png", "absent.jpg", ".", "pipe.jpg")]


@pytest.fixture
def runtime():
    try:
        return runtime_module()
    except Fault as fault:
        pytest.skip(str(fault))


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_classify_prints_five_scores_and_none(photo, capsys, runtime):
    assert main(["camera", "classify", photo, photo]) == 0
    first, second = lines(capsys)
    assert list(first) == ["file", "scores", "none_permille", "ms"]
    assert [list(score) for score in first["scores"]] == [["label", "permille"]] * 5
    permille = [score["permille"] for score in first["scores"]]
    assert permille == sorted(permille, reverse=True)
    assert first["scores"] == second["scores"]
    assert first["ms"] > 0


def test_agree_prints_evidence_and_verdict_for_a_label(photo, capsys, runtime):
    assert main(["camera", "agree", photo, "--label", "Banana"]) == 0
    (line,) = lines(capsys)
    assert list(line) == ["file", "label", "log_likelihood_millinat", "verdict"]
    assert (line["file"], line["label"]) == (photo, "Banana")
    assert type(line["log_likelihood_millinat"]) is int
    assert line["verdict"] in ("agree", "unsure", "disagree")


def test_frames_of_one_thing_are_judged_together(photo, capsys, runtime):
    main(["camera", "agree", photo, photo, photo, "--label", "Banana"])
    alone = [line["log_likelihood_millinat"] for line in lines(capsys)]
    main(["camera", "agree", "--together", photo, photo, photo, "--label", "Banana"])
    together = [line["log_likelihood_millinat"] for line in lines(capsys)]
    assert alone == alone[:1] * 3
    assert together[0] == alone[0]
    assert abs(together[1]) > abs(alone[1])  # the same again makes it surer,
    assert together[2] == together[1]  # but a pass is worth two looks at most


def test_the_label_that_classify_puts_first_gets_the_most_evidence_from_agree(photo, capsys, runtime):
    main(["camera", "classify", photo])
    best, *others = [score["label"] for score in lines(capsys)[0]["scores"]]
    evidence = []
    for label in (best, *others):
        main(["camera", "agree", photo, "--label", label])
        evidence.append(lines(capsys)[0]["log_likelihood_millinat"])
    assert evidence == sorted(evidence, reverse=True)


@pytest.mark.parametrize("written", ["banan", "BANANA", "Vine Tomatoe"])
def test_an_unknown_label_exits_with_2_and_says_which_was_meant(photo, capsys, runtime, written):
    assert main(["camera", "agree", photo, "--label", written]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "did you mean " + ("Vine-Tomato" if "Vine" in written else "Banana") in shown.err


@pytest.mark.parametrize("verb", [["read"], ["classify"], ["agree", "--label", "Leek"]])
def test_bad_photos_are_named_and_the_others_done_and_the_exit_code_is_1(verb, photo, bad_photos, capsys, runtime):
    assert main(["camera", *verb, *bad_photos, photo]) == 1
    shown = lines(capsys)
    assert [line["file"] for line in shown] == [*bad_photos, photo]
    assert all(list(line) == ["file", "error"] and line["error"] for line in shown[:-1])
    assert "error" not in shown[-1]


def test_read_finds_no_code_where_there_is_none(photo, capsys):
    assert main(["camera", "read", photo]) == 0
    (line,) = lines(capsys)
    assert list(line) == ["file", "codes", "ms"]
    assert line["codes"] == []


def test_a_missing_model_is_a_fault_with_its_code(photo, tmp_path, capsys):
    assert main(["camera", "classify", photo, "--model-dir", str(tmp_path)]) == 3
    assert "MODEL-MISSING" in capsys.readouterr().err
