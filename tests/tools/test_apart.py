"""What the second backbone does without: strangers of both kinds, chosen by a rule and not by a look at photos."""

import numpy as np

from tools.training import apart
from tools.training.apart import Apart

COARSE = ("Apple",) * 5 + ("Milk",) * 4 + tuple(f"Group{number}" for number in range(10)) + ("Pair",) * 2


def test_siblings_leave_the_rest_of_their_group_known_and_groups_leave_nothing():
    chosen = Apart.of(COARSE)
    names = np.array(COARSE)
    assert set(names[chosen.siblings]) == {"Apple", "Milk"}
    assert set(names[chosen.siblings]) <= set(names[chosen.known])
    assert not set(names[chosen.groups]) & set(names[chosen.known])
    assert len(chosen.groups) >= 2


def test_every_product_is_a_stranger_or_known():
    chosen = Apart.of(COARSE)
    parts = np.concatenate([chosen.siblings, chosen.groups, chosen.known])
    assert sorted(parts) == list(range(len(COARSE)))


def test_known_products_are_numbered_without_gaps():
    chosen = Apart.of(COARSE)
    assert chosen.numbers(chosen.known).tolist() == list(range(len(chosen.known)))


def test_one_look_of_each_product_is_held_back_whole():
    looks = np.eye(5)
    which = np.tile(np.arange(5), 12)
    noise = np.random.default_rng(0).normal(0, 0.02, (60, 5))
    vectors = looks[which] + noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    held = apart.held_back(vectors, np.zeros(60, int))
    assert held.sum() == 12
    assert len(set(which[held])) == 1
