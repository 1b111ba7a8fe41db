"""Runs inside the guest, as root, and prints one line of JSON for each thing that the boot test waits for.

1. the state of cart.service as soon as systemd calls it active, and the cart's public key for the store
2. what the panel's own code sees on a real GPIO line, once somebody outside pushes the power button
3. from then on: that systemd had to start cart.service again, and why
"""

import json
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

MARK = "BOOT-TEST "
STATE_DIR = Path("/var/lib/cart")
PROPERTIES = "ActiveState,SubState,NRestarts,StatusText,ActiveEnterTimestampMonotonic,MainPID"
BUTTON_LINE = 3
QUIET_S, PUSHED_WITHIN_S = 1.0, 120.0
CHANGES_MAX, CHANGES_WANTED = 1_000, 2


def main() -> None:
    """Report until the power goes."""
    while (unit := unit_state())["ActiveState"] != "active":
        time.sleep(1)
    say(cart=unit, key=(STATE_DIR / "keys" / "cart.pub").read_text(encoding="ascii"))
    say(gpio="begins")
    try:
        say(gpio=poll_panel())
    except Exception as error:  # whatever the chip or the package says is the report
        say(gpio={"error": f"{type(error).__name__}: {error}"})
    restarts = "0"
    while True:
        time.sleep(2)
        if (unit := unit_state())["NRestarts"] != restarts:
            restarts = unit["NRestarts"]
            say(crashed=unit, why=last_words())


def unit_state() -> dict[str, str]:
    """Return what systemd knows of cart.service."""
    command = ["systemctl", "show", "cart.service", "-p", PROPERTIES]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def last_words() -> str:
    """Return the end of what the core said when an event broke it, "" where it was something else."""
    try:
        trace = json.loads((STATE_DIR / "poison").read_text(encoding="utf-8").split("\n", 2)[2])["trace"]
    except (OSError, ValueError, LookupError):
        return ""
    return next((line for line in trace if "Error" in line), "")[:200]


def poll_panel() -> dict[str, int]:
    """Return what the panel's own code saw: changes while nobody pushed, then changes, in how many reads.

    Lines 0, 1, 2 and 4 are free; the board leads its power button to line 3, which plays the help button.
    """
    from cart.clock import SystemClock
    from cart.edge.gpio import GpioPanel

    pins = SimpleNamespace(gate_pin=0, help_pin=BUTTON_LINE, red_pin=1, green_pin=2, buzzer_pin=4)
    panel = GpioPanel(pins, SystemClock())
    try:
        panel.show("green", "")
        quiet, _ = changes(panel, CHANGES_MAX, QUIET_S)
        say(gpio="polling")
        seen, reads = changes(panel, CHANGES_WANTED, PUSHED_WITHIN_S)
    finally:
        panel.close()
    return {"quiet": quiet, "changes": seen, "reads": reads}


def changes(panel: Any, enough: int, within_s: float) -> tuple[int, int]:
    """Return how often the help contact changed and how often it was read, until `enough` or the time is over."""
    last, seen, reads = panel.read().help, 0, 0
    end_s = time.monotonic() + within_s
    while seen < enough and time.monotonic() < end_s:
        pushed = panel.read().help
        seen, reads, last = seen + (pushed != last), reads + 1, pushed
    return seen, reads


def say(**what: object) -> None:
    """Print a line that the test looks for; a line of its own, whatever else is on the console."""
    print(f"\n{MARK}{json.dumps(what)}", flush=True)


if __name__ == "__main__":
    main()
