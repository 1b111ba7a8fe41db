"""The bench of the weight: simulated carts, what is told of them, and how that compares with the truth.

    items, cases ─> Feed: platform ─> lines ─(faults)─> decoder ─> weight ─> told ─┐
                                                          └─> plateau (baseline) ──┴─> matching ─> tables, page

Everything here is SIMULATED: the world's parameters are in `cart.sim.physics.parameters`.
"""
