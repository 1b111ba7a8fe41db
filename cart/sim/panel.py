"""The simulated panel: lights and contacts that live in the world process."""

from __future__ import annotations

import contextlib

from cart.ports import PanelInputs
from cart.sim.world_link import WorldLink


class SimulatedPanel:
    """A Panel behind the world's socket; OSError from any method when the world is gone."""

    def __init__(self, socket_path: str) -> None:
        """Connect; OSError when the world is not there."""
        self._link = WorldLink(socket_path, "panel")

    def read(self) -> PanelInputs:
        """Return the contacts as the world last set them."""
        said = self._link.latest()
        return PanelInputs(help=bool(said.get("help")), gate=bool(said.get("gate")))

    def show(self, light: str, sound: str) -> None:
        """Show light and sound in the world."""
        self._link.send({"light": light, "sound": sound})

    def close(self) -> None:
        """Put the light out and leave; safe to call twice."""
        with contextlib.suppress(OSError):  # if the world is gone, its lights went with it
            self._link.send({"light": "off", "sound": ""})
        self._link.close()
