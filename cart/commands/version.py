"""Print the version of the cart, of Python and of the packages it would use here."""

from __future__ import annotations

import argparse
import json
import platform
from importlib import metadata

from cart import __version__

PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "tflite-runtime",
    "ai-edge-litert",
    "zxing-cpp",
    "pyzbar",
    "pyserial",
    "paho-mqtt",
    "msgspec",
    "biip",
    "cryptography",
    "starlette",
    "uvicorn",
    "rpi-lgpio",
    "RPi.GPIO",
    "picamera2",
    "psycopg",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cart version` takes."""
    parser.add_argument("-v", "--verbose", action="store_true", help="also the legally relevant part and its hash")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")


def run(args: argparse.Namespace) -> int:
    """Print the versions; always 0."""
    found = versions() | ({"legal": legal()} if args.verbose else {})
    if args.output == "json":
        print(json.dumps(found))
    else:
        print(f"cart {found['cart']}, Python {found['python']}, {found['system']} {found['machine']}")
        for name, version in found["packages"].items():
            print(f"  {name:<24}{version or 'not installed'}")
        if args.verbose:
            print(f"  {'legal hash':<24}{found['legal']['sha256'] or 'unknown'}")
            for name in found["legal"]["changed"]:
                print(f"  {'':<24}changed: {name}")
    return 0


def legal() -> dict:
    """Return the hash of the legally relevant part as it lies here, and the files that are not as listed."""
    from cart.edge.seal import software

    return software()._asdict()


def versions() -> dict:
    """Return versions as read from the installed metadata; no package is imported for it, None where absent."""
    return {
        "cart": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "packages": {name: _installed(name) for name in PACKAGES},
    }


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
