"""Hand-made screens: one for each state that the page must show."""

from dataclasses import replace

from cart.core.effects import Screen, ScreenLine, Suggestion, Waiting, Weighed
from cart.core.trip import Option, Prompt

MILK = ScreenLine("arla-medium-fat-milk", "Arla Medium Fat Milk 1.5 l", 1, 1_593_000, "piece", 219, 219, "saved")
BANANAS = ScreenLine("banana", "Banana", 1, 845_000, "weight", 189, 160, "saved")
JUICE = ScreenLine("tropicana-apple-juice", "Tropicana Apple Juice 900 ml", 2, 1_964_000, "piece", 329, 658, "review")
LIMES = ScreenLine("lime", "Lime", 3, 201_000, "piece", 35, 105, "saving")

IDLE = Screen(1, "idle", currency="EUR")
EMPTY = Screen(2, "shopping", currency="EUR")
SHOPPING = Screen(
    3,
    "shopping",
    lines=(MILK, BANANAS, JUICE, LIMES),
    total_minor=1_142,
    currency="EUR",
    waiting=(Waiting("royal-gala", "Royal Gala Apple", 229, "weight"),),
)
ASKING = replace(
    SHOPPING,
    revision=4,
    waiting=(),
    prompt=Prompt(
        7,
        "scan_it",
        1,
        (
            Option("pick:granny-smith", "Granny Smith Apple", "granny-smith"),
            Option("pick:conference", "Conference Pear", "conference"),
            Option("pick:lime", "Lime", "lime"),
            Option(
                "pick:god-morgon-orange-red-grapefruit-juice", "God Morgon Orange Red Grapefruit Juice 1 l", "juice"
            ),
        ),
        ("182",),
    ),
)
WRONG_LABEL = replace(
    SHOPPING,
    revision=5,
    waiting=(),
    prompt=Prompt(
        8,
        "wrong_label",
        2,
        (Option("yes:banana", "Banana", "banana"), Option("pick:ginger", "Ginger", "ginger")),
        ("Banana",),
    ),
)
SUGGESTING = replace(
    SHOPPING,
    revision=6,
    waiting=(),
    suggestions=tuple(
        Suggestion(i, n, i)
        for i, n in (("orange", "Orange"), ("satsumas", "Satsumas"), ("peach", "Peach"), ("mango", "Mango"))
    ),
    notices=("offline", "scale_lost", "camera_lost"),
)
REMOVED = replace(
    SHOPPING,
    revision=9,
    waiting=(),
    prompt=Prompt(
        9, "what_removed", 3, (Option("line:2", "Banana", "banana"), Option("line:4", "Lime", "lime")), ("812",)
    ),
)
NO_IDEA = replace(SHOPPING, revision=9, waiting=(), prompt=Prompt(10, "scan_it", 4, (), ("312",)))
SETTLED = (MILK, BANANAS, JUICE, replace(LIMES, state="saved"))
CLOSING = replace(
    SHOPPING, revision=10, phase="closing", lines=SETTLED, waiting=(), notices=("hands_off", "unexplained")
)
LOCKED = replace(CLOSING, revision=11, phase="locked", notices=())
PAID = replace(LOCKED, revision=12, phase="paid", receipt="saved", charge_id="0198c0de-0000-7000-8000-00000000002a")
RECEIPTED = replace(PAID, revision=13, receipt="receipted")
REJECTED = replace(PAID, revision=14, receipt="rejected")
OUT_OF_SERVICE = replace(SHOPPING, revision=15, phase="out_of_service", waiting=(), help=True)
TO_TARE = replace(
    SHOPPING,
    revision=18,
    waiting=(),
    weighed=Weighed("banana", "Banana", 189, "weight", 12_580_000, 0, 12_580_000, 5_000, 100_000, stable=True),
)
TO_PRICE = replace(
    TO_TARE,
    revision=19,
    weighed=Weighed(
        "pink-lady", "Pink Lady Apple", 1_189, "weight", 13_430_000, 12_580_000, 850_000, 5_000, 100_000, True, False,
        tared=True, price_minor=1_011,
    ),
)  # fmt: skip
NOT_WEIGHING = replace(TO_TARE, revision=20, weighed=Weighed("banana", "Banana", 189, "tilted", refused="tilted"))
CANCELLED = Screen(16, "cancelled", currency="EUR")
CLEARED = replace(RECEIPTED, revision=17, phase="cleared")

ALL = {
    "idle": IDLE,
    "empty": EMPTY,
    "shopping": SHOPPING,
    "asking": ASKING,
    "wrong_label": WRONG_LABEL,
    "removed": REMOVED,
    "no_idea": NO_IDEA,
    "suggesting": SUGGESTING,
    "to_tare": TO_TARE,
    "to_price": TO_PRICE,
    "not_weighing": NOT_WEIGHING,
    "closing": CLOSING,
    "locked": LOCKED,
    "paid": PAID,
    "receipted": RECEIPTED,
    "rejected": REJECTED,
    "out_of_service": OUT_OF_SERVICE,
    "cancelled": CANCELLED,
    "cleared": CLEARED,
}
