"""Which products and photos a second backbone never sees, so that strangers and limits can be measured honestly.

The shipped backbone has learnt every train photo of every product: on those it is surer than it will ever be again, and
it knows no stranger. So a second one is trained by the same recipe, without

* siblings: some products of groups whose other products it learns,
* groups: all products of some groups,
* looks: of each product that it learns, one of five groups of photos that resemble each other.

What it says of these is what a shop would see. It is a poorer backbone than the shipped one, which
learnt twice as many photos. Figures measured on it err on the safe side.
"""

from dataclasses import dataclass

import numpy as np

from tools.training.fitting import LOOKS, look_folds

SIBLINGS_FROM = 3
"""Products that a group has at least for some to be left out; then every third, from the second."""
GROUP_STEP = 5
"""Of the smaller groups every fifth is left out whole."""
HELD_LOOK = 0
"""The fold of looks that is held back."""


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """What the second backbone does without.

    siblings, groups  class numbers that are strangers to it
    known             class numbers that it learns, in order
    """

    siblings: np.ndarray
    groups: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, coarse: tuple[str, ...]) -> "Apart":
        """Return the choice for products whose groups are given in class order; no draw of lots, no look at a photo."""
        members: dict[str, list[int]] = {}
        for number, group in enumerate(coarse):
            members.setdefault(group, []).append(number)
        large = [numbers for numbers in members.values() if len(numbers) >= SIBLINGS_FROM]
        small = [numbers for numbers in members.values() if len(numbers) < SIBLINGS_FROM]
        siblings = sorted(number for numbers in large for number in numbers[1::3])
        groups = sorted(number for numbers in small[GROUP_STEP // 2 :: GROUP_STEP] for number in numbers)
        known = np.setdiff1d(np.arange(len(coarse)), siblings + groups)
        return cls(np.array(siblings, int), np.array(groups, int), known)

    def numbers(self, classes: np.ndarray) -> np.ndarray:
        """Return the place of each class among `known`; all of them are known."""
        return np.searchsorted(self.known, classes)


def held_back(vectors: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return (photos,) True for one look of each class; vectors from a backbone that learnt none of the photos."""
    return look_folds(vectors, classes, LOOKS) == HELD_LOOK
