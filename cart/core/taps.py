"""What a shopper can ask for with one touch of the screen: `Tapped.action`.

The pay button is not among them: it becomes `ExitSeen("tap")`, because paying
and leaving are one event whatever saw it.
"""

from __future__ import annotations

START = "start"  # begin a guest trip
ANSWER = "answer"  # value: an option of the prompt that is shown
PICK = "pick"  # value: a product id chosen by name, number or picture
WITHDRAW = "withdraw"  # value: id of a product that waits and will not be bought
OWN = "own"  # what lands next, or landed last, is the shopper's own
HELP = "help"  # call staff
HELPED = "helped"  # staff are done
CHECKOUT = "checkout"  # I have everything
RESUME = "resume"  # back to shopping
CANCEL = "cancel"  # give the cart back without buying; only when it is empty
DONE = "done"  # I have read it
WEIGH = "weigh"  # value: id of a product by weight; opens the weighing, in which TARE and PRICE follow
TARE = "tare"  # what is in the cart now is not part of what will be weighed
PRICE = "price"  # value: the price that is shown, in minor units; it becomes a line
UNWEIGH = "unweigh"  # leave the weighing without a price
ZERO = "zero"  # staff: the cart is empty, this is zero

SHOPPING_ACTIONS = frozenset({START, ANSWER, PICK, WITHDRAW, OWN, HELP, HELPED, CHECKOUT, RESUME, CANCEL, DONE})
WEIGHING_ACTIONS = frozenset({WEIGH, TARE, PRICE, UNWEIGH, ZERO})
ACTIONS = SHOPPING_ACTIONS | WEIGHING_ACTIONS
