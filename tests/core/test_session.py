"""The table of phases: every phase against every trigger."""

import pytest

from cart.core import session

EXPECTED = {
    ("idle", "start"): "shopping",
    ("shopping", "checkout"): "closing",
    ("shopping", "cancel"): "cancelled",
    ("closing", "settled"): "locked",
    ("closing", "resume"): "shopping",
    ("locked", "changed"): "closing",
    ("locked", "resume"): "shopping",
    ("locked", "cancel"): "cancelled",
    ("locked", "exit"): "paid",
    ("paid", "done"): "cleared",
    ("cleared", "start"): "shopping",
    ("cancelled", "start"): "shopping",
}


@pytest.mark.parametrize("phase", session.PHASES)
@pytest.mark.parametrize("trigger", session.TRIGGERS)
def test_every_phase_answers_every_trigger(phase, trigger):
    assert session.after(phase, trigger) == EXPECTED.get((phase, trigger), phase)
    assert session.allows(phase, trigger) == ((phase, trigger) in EXPECTED)


def test_a_sale_commits_on_leaving_a_locked_cart_and_nowhere_else():
    to_paid = [(p, t) for p in session.PHASES for t in session.TRIGGERS if session.after(p, t) == "paid" != p]
    assert to_paid == [("locked", "exit")]


def test_no_trigger_leads_out_of_service_or_back():
    assert all(session.after("out_of_service", t) == "out_of_service" for t in session.TRIGGERS)
