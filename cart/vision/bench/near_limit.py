"""Codes on generated frames near the limit: rotation, size, blur, defocus, glare, noise, perspective."""

from __future__ import annotations

from cart.vision.bench.sections import NotThere, Plan, Progress, Result


def measure(plan: Plan, progress: Progress) -> Result:
    """Return the tables of the generated frames."""
    raise NotThere("being written")
