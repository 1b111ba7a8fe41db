"""Check this machine for everything a cart needs, and say how to mend what is wrong.

[ok] fine   [!] works, but not as it should   [x] must be mended   [simulated] no such hardware asked for here
Exit code: 0 where nothing has to be mended, else 4 for hardware, 3 for configuration, 1 for the rest.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from cart import config
from cart.checks import CHECKS, Check
from cart.commands.config import file_in_use
from cart.faults import EXIT_CONFIGURATION, EXIT_OK, Fault
from cart.findings import BAD, OK, SIMULATED, WARN, Finding, of_fault

_COLOURS = {OK: "32", WARN: "33", BAD: "31", SIMULATED: "36"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cart doctor` takes."""
    parser.add_argument("--config", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")


def run(args: argparse.Namespace) -> int:
    """Run every check and return the exit code of the worst finding."""
    settings, finding = settings_in_use(args.config)
    found = [("configuration", finding)]
    for section, check in CHECKS:
        found += [(section, finding) for finding in guarded(check, settings)]
    if args.output == "json":
        print(json.dumps([{"section": section, **finding._asdict()} for section, finding in found], indent=2))
    else:
        _print(found)
    return max((finding.exit_code for _, finding in found if finding.state == BAD), default=EXIT_OK)


def settings_in_use(named: str | None) -> tuple[config.Config, Finding]:
    """Return the configuration to check and what is to be said of it; without a file, a simulated cart's."""
    path = file_in_use(named)
    fallback = config.simulated(state_home())
    if path == config.SYSTEM_FILE and not path.exists() and not on_raspberry_pi():
        return fallback, Finding(SIMULATED, "file", f"no {path}: a cart with simulated devices")
    try:
        return config.load(path), Finding(OK, "file", str(path))
    except Fault as fault:
        return fallback, Finding(BAD, "file", str(fault), fault.text.next_step, EXIT_CONFIGURATION)


def state_home() -> Path:
    """Return where a cart without a configuration file keeps its things."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "cart"


def on_raspberry_pi() -> bool:
    """Return True on a Raspberry Pi."""
    try:
        return "Raspberry Pi" in Path("/proc/device-tree/model").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def guarded(check: Check, settings: config.Config) -> list[Finding]:
    """Run one check; a fault or a missing part becomes a finding, so that one check never hides the others."""
    name = check.__name__
    try:
        return list(check(settings))
    except Fault as fault:
        return [of_fault(name, fault)]
    except Exception as error:
        return [Finding(BAD, name, f"the check itself failed: {type(error).__name__}: {error}", "report this")]


def _print(found: list[tuple[str, Finding]]) -> None:
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    last = ""
    for section, finding in found:
        if section != last:
            print(section)
            last = section
        mark = f"[{finding.state}]".ljust(11)
        if coloured:
            mark = f"\033[{_COLOURS[finding.state]}m{mark}\033[0m"
        print(f"  {mark} {finding.name}: {finding.text}")
        if finding.mend:
            print(f"{'':14}-> {finding.mend}")
    bad = sum(finding.state == BAD for _, finding in found)
    print(f"{bad} to mend" if bad else "nothing has to be mended")
