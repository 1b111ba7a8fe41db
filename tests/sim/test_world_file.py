"""Worlds from files: what is left out is as usual, what is not understood is refused with a hint."""

from dataclasses import fields, replace

import pytest

from cart.sim.physics import Params
from cart.sim.physics.parameters import SECTIONS
from cart.sim.physics.world_file import BadWorld, digest, read_world, world_text


def written(folder, text):
    path = folder / "world.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_printed_world_is_the_world(tmp_path):
    odd = replace(Params(), cells=4, damping=0.07, counts_per_kg=-12_345)
    assert read_world(written(tmp_path, world_text(odd))) == odd


def test_what_is_left_out_is_as_usual(tmp_path):
    assert read_world(written(tmp_path, "[platform]\ndamping = 1\n")) == replace(Params(), damping=1.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[platfrom]\n", "no section [platfrom]; did you mean platform?"),
        ("[cell]\ncount_per_kg = 5\n", "[cell] has no count_per_kg; did you mean counts_per_kg?"),
        ("[cell]\ndamping = 0.1\n", "[cell] has no damping; it is in [platform]"),
        ("[cell]\nresonanz_hz = 0.1\n", "did you mean resonance_hz in [platform]?"),
        ("[platform]\ndamping = -1\n", "damping = -1: must be 0.005 to 2 ratio"),
        ("[platform]\ndamping = nan\n", "damping = nan: must be"),
        ("[platform]\ndamping = true\n", "damping = True: must be a number"),
        ("[cell]\ncells = 3\n", "cells = 3: must be 1 or 4"),
        ("[cell]\ncells = 1.0\n", "cells = 1.0: must be a whole number"),
        ("[cell]\ncounts_per_kg = 0\n", "must not be 0"),
        ("[converter]\nsamples_per_s = 90\n", "must divide 1600"),
        ("[hand]\nplace_s_min = 2\n", "place_s_min is above place_s_max"),
        ("damping = 1\n", "no section [damping]; it is in [platform]"),
        ("platform = 3\n", "platform is a section"),
        ("[[platform]]\ndamping = 1\n", "platform is a section"),
        ("[platform\n", "Expected"),
        ("#" * 100_001, "longer than"),
    ],
)
def test_a_mistake_is_refused_with_a_hint(tmp_path, text, complaint):
    with pytest.raises(BadWorld) as refused:
        read_world(written(tmp_path, text))
    assert complaint in str(refused.value)


def test_every_fault_is_told_at_once(tmp_path):
    with pytest.raises(BadWorld) as refused:
        read_world(written(tmp_path, "[cell]\nx = 1\nspan_kg = -1\n[y]\n"))
    assert len(str(refused.value).splitlines()) == 3


def test_the_hash_is_of_every_parameter():
    assert digest(Params()) == digest(Params())
    others = []
    for section in SECTIONS.values():
        for f in fields(section):
            value = {"samples_per_s": 160, "cells": 4}.get(f.name)
            hi, lo = f.metadata["hi"], f.metadata["lo"]
            others.append(digest(replace(Params(), **{f.name: value or (hi if f.default != hi else lo)})))
    assert len({*others, digest(Params())}) == len(others) + 1


def test_every_parameter_has_unit_limits_and_source():
    for f in fields(Params):
        assert {"unit", "lo", "hi", "source", "meaning"} == set(f.metadata)
        assert f.metadata["lo"] <= f.default <= f.metadata["hi"]
        assert f.metadata["source"]
