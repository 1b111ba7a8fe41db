"""What a cart takes from the system's own packages, which no wheel can bring, and what it does without one of them.

An image that lacks one is built all the same, for a cart runs without each of them; but nobody should learn that from
a dark lamp in the store.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tools.imaging.ext4 import Ext4

STATUS = "/var/lib/dpkg/status"


@dataclass(frozen=True)
class Package:
    """A package under the names it has had; `wheel` brings the same where a release has one."""

    names: tuple[str, ...]
    without: str
    wheel: str = ""


WANTED = (
    Package(("python3-picamera2",), "no camera on the ribbon, only one on USB"),
    Package(("python3-rpi-lgpio",), "no lamp, buzzer, help button and gate contact", wheel="rpi-lgpio"),
    Package(("libzbar0", "libzbar0t64"), "the second barcode engine is missing: fewer codes are read"),
    Package(("chromium", "chromium-browser"), "no screen on the cart itself"),
    Package(("cage",), "no screen on the cart itself"),
    Package(("seatd",), "no screen on the cart itself"),
    Package(("xwayland",), "no screen on the cart itself"),
)


def lacks(root: Ext4, wheels: Iterable[str]) -> list[str]:
    """Return a line for each package that the image lacks; none where it keeps no list of its packages.

    wheels  names of those that are put in
    """
    text = root.read([STATUS]).get(STATUS, b"").decode(errors="replace")
    return missing(text, wheels) if text else []


def missing(status: str, wheels: Iterable[str]) -> list[str]:
    """Return a line for each package that dpkg's status file does not say is installed."""
    there = set(re.findall(r"^Package: (\S+)\nStatus: \S+ \S+ installed$", status, re.MULTILINE))
    brought = set(wheels)
    return [
        f"the image lacks {package.names[0]}: {package.without}"
        for package in WANTED
        if not there.intersection(package.names) and package.wheel not in brought
    ]
