"""Controller of a supermarket trolley that knows what is in it.

Sources turn the world into events; one pure core folds events into state and effects; sinks turn effects into the
world; the recording sits on the only arrow in. Where to start reading: `cart/core/__init__.py` (the picture), then
`core/events.py`, `core/step.py`, one scenario in `tests/scenarios/`, `app.py` (the wiring).
"""

__version__ = "0.1.0"
