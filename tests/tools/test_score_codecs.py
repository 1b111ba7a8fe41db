"""The scoring of the shop-scale codecs: a misread frame is a miss, and damage is counted where nothing checks it."""

import json

import pytest

from cart.wire.shop_scales.protocols import by_name
from tools import python_313, score_codecs
from tools.shop_scale_vectors import vector


@pytest.fixture(autouse=True)
def few_bytes(monkeypatch):
    monkeypatch.setattr(score_codecs, "RANDOM_BYTES", 2_000)
    monkeypatch.setattr(score_codecs, "FRAMES", 2)


def test_all_frames_right_is_a_pass(capsys):
    assert score_codecs.main(["-o", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["wrong"], printed["numbers"], printed["protocols"]) == (0, 0, 7)
    assert printed["frames"] > 100


def test_a_frame_that_is_misread_is_a_miss(capsys, monkeypatch):
    planted = vector("sma", "<LF> 1G       5.025lb <CR>", "stable", "planted", 5_025_000, net=False)
    monkeypatch.setattr(score_codecs, "vectors", lambda: [planted])
    assert score_codecs.main([]) == 1
    assert "2279302" in capsys.readouterr().out


def test_damage_gets_through_where_nothing_checks_the_digits_and_only_there():
    assert score_codecs.share(by_name("sma"), score_codecs.flipped) > 0
    assert score_codecs.share(by_name("cas-ecr"), score_codecs.flipped) == 0
    assert score_codecs.share(by_name("nci"), score_codecs.shortened) > 0
    assert score_codecs.share(by_name("toledo-8217"), score_codecs.shortened) == 0


def test_an_environment_that_is_not_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(python_313, "ROOT", tmp_path)
    assert python_313.existing("emupos") is None
