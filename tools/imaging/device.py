"""What every cart's image gets: environment and package, units, rules, configuration and the firmware's settings.

Where each file goes is said in firmware_config/places.toml; this module adds what is made rather than copied.
"""

import runpy
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cart
from cart import config
from cart.faults import Fault
from tools.imaging import accounts, wheels
from tools.imaging.entries import BOOT, Entry
from tools.imaging.facts import Facts, Image
from tools.imaging.wheelhouse import Wheelhouse

CHECKOUT = Path(__file__).resolve().parents[2]
RELEASES_DIR, CURRENT = "/usr/local/lib/cart/releases", "/usr/local/lib/cart/current"
CONFIG_FILE = "/etc/cart/cart.toml"
PAGE_FILE = "/etc/cart/kiosk.env"
STATE_DIR = "/var/lib/cart"
BOOT_BEGIN, BOOT_END = "# -- smart cart: begin --", "# -- smart cart: end --"

# Every card would have the same keys and the same id, were they left in.
REMOVED = (
    "/etc/ssh/ssh_host_dsa_key",
    "/etc/ssh/ssh_host_dsa_key.pub",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ecdsa_key.pub",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/ssh_host_ed25519_key.pub",
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_rsa_key.pub",
    "/var/lib/dbus/machine-id",
    "/var/lib/systemd/random-seed",
)


@dataclass(frozen=True)
class Places:
    """firmware_config/places.toml: numbers of owners, file in the checkout -> path, link -> target."""

    owners: dict[str, int]
    files: dict[str, str]
    links: dict[str, str]


def places(checkout: Path = CHECKOUT) -> Places:
    """Return where things go."""
    told = tomllib.loads((checkout / "firmware_config" / "places.toml").read_text(encoding="utf-8"))
    return Places(told["owners"], told["files"], told["links"])


def entries(image: Image, facts: Facts, house: Wheelhouse, settings: config.Config, scratch: Path) -> list[Entry]:
    """Return everything that goes into the root file system.

    scratch  an empty folder for unpacked wheels, needed until the entries are written
    """
    where = places()
    declared = accounts.parse(_text("firmware_config/sysusers.d/cart.conf"), where.owners)
    found = [*environment(facts, house, scratch), *package(facts)]
    found += [Entry(path, data=CHECKOUT / name) for name, path in where.files.items()]
    found += [Entry(path, "link", target=target) for path, target in where.links.items()]
    found += accounts.entries(image.root, declared, image.root.epoch)
    cart_id = where.owners["cart"]
    found += [
        Entry("/etc/cart", "dir", 0o750, 0, cart_id),
        config_entry(settings, cart_id),
        page_entry(settings),
        Entry(STATE_DIR, "dir", 0o700, cart_id, cart_id),
        Entry(f"{STATE_DIR}/keys", "dir", 0o700, cart_id, cart_id),
        # Empty: systemd makes one at first boot. A missing one would make it ask for everything else, too.
        Entry("/etc/machine-id", mode=0o444),
    ]
    return found


def config_entry(settings: config.Config, cart_id: int) -> Entry:
    """Return /etc/cart/cart.toml, which only root writes and only the cart reads."""
    return Entry(CONFIG_FILE, mode=0o640, gid=cart_id, data=config.render(settings).encode())


def page_entry(settings: config.Config) -> Entry:
    """Return what tells cart-kiosk.service where the page is: it may not look into cart.toml."""
    host = f"[{settings.kiosk.host}]" if ":" in settings.kiosk.host else settings.kiosk.host
    return Entry(PAGE_FILE, data=f"CART_PAGE=http://{host}:{settings.kiosk.port}/\n".encode())


def environment(facts: Facts, house: Wheelhouse, scratch: Path) -> Iterator[Entry]:
    """Yield the virtual environment: links to the image's own Python, and the wheels.

    It sees the system's packages, because picamera2 and libcamera come from apt only.
    """
    assert facts.python is not None
    version = ".".join(map(str, facts.python))
    home = release_dir()
    yield Entry(f"{home}/bin/python3", "link", target="/usr/bin/python3")
    yield Entry(f"{home}/bin/python", "link", target="python3")
    settings = f"home = /usr/bin\ninclude-system-site-packages = true\nversion = {version}\n"
    yield Entry(f"{home}/pyvenv.cfg", data=settings.encode())
    yield Entry(CURRENT, "link", target=f"releases/{cart.__version__}")
    for wheel in house.wheels:
        yield from wheels.entries(wheel, site_packages(facts), scratch)


def package(facts: Facts) -> Iterator[Entry]:
    """Yield the cart's own package, pure Python, and its command."""
    site = site_packages(facts)
    for name in package_files():
        yield Entry(f"{site}/{name}", data=CHECKOUT / name)
    told = f"Metadata-Version: 2.1\nName: smart-cart\nVersion: {cart.__version__}\n"
    yield Entry(f"{site}/smart_cart-{cart.__version__}.dist-info/METADATA", data=told.encode())
    yield Entry(f"{site}/smart_cart-{cart.__version__}.dist-info/INSTALLER", data=b"tools/image.py\n")
    script = f"#!{CURRENT}/bin/python3\nimport sys\nfrom cart.__main__ import main\nsys.exit(main())\n"
    yield Entry(f"{release_dir()}/bin/cart", mode=0o755, data=script.encode())
    yield Entry("/usr/local/bin/cart", "link", target=f"{CURRENT}/bin/cart")


def package_files() -> list[str]:
    """Return the files of cart/ that belong to it: those git knows, or all that Python did not leave behind."""
    listed = subprocess.run(
        ["git", "-C", str(CHECKOUT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "cart"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0 and listed.stdout:
        names = [name for name in listed.stdout.split("\0") if name and (CHECKOUT / name).is_file()]
    else:
        names = [str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "cart").rglob("*") if path.is_file()]
    return sorted(name for name in names if "__pycache__" not in name and not name.endswith(".pyc"))


def requirements() -> list[str]:
    """Return what setup.py says the cart needs, with the shopper's page."""
    passed: dict[str, Any] = {}
    stand_in = types.ModuleType("setuptools")
    stand_in.setup = passed.update  # type: ignore[attr-defined]
    stand_in.find_packages = lambda **_: []  # type: ignore[attr-defined]
    before = sys.modules.get("setuptools")
    sys.modules["setuptools"] = stand_in
    try:
        runpy.run_path(str(CHECKOUT / "setup.py"))
    finally:
        sys.modules.pop("setuptools")
        if before is not None:
            sys.modules["setuptools"] = before
    return [*passed["install_requires"], *passed["extras_require"]["web"]]


def boot_files(image: Image) -> dict[str, bytes]:
    """Return the firmware's files as they have to be: config.txt with our sections, cmdline.txt with our words."""
    sections = [_text(f"firmware_config/boot/config.txt.d/{name}.txt") for name in ("all", "pi4", "pi5")]
    old = (image.boot.read("config.txt") or b"").decode(errors="surrogateescape")
    new = with_section(old, "\n".join(sections))
    files = {"config.txt": new.encode(errors="surrogateescape")}
    line = image.boot.read("cmdline.txt")
    if line is not None:  # an image that is not for a Raspberry Pi has none
        add, remove = (_words(f"firmware_config/boot/cmdline.{name}") for name in ("add", "remove"))
        files["cmdline.txt"] = changed_cmdline(line.decode(), add, remove).encode()
    return files


def boot_entries(files: dict[str, bytes]) -> list[Entry]:
    """Return files of the boot partition as entries, for the manifest."""
    return [Entry(f"/{name}", data=data, where=BOOT) for name, data in sorted(files.items())]


def with_section(text: str, section: str) -> str:
    """Return config.txt with our section at its end, in place of one that is there already."""
    before, _, rest = text.partition(BOOT_BEGIN)
    after = rest.partition(BOOT_END)[2] if rest else ""
    kept = (before.rstrip("\n") + after.rstrip("\n")).strip("\n")
    return (kept + "\n\n" if kept else "") + f"{BOOT_BEGIN}\n{section.strip()}\n{BOOT_END}\n"


def changed_cmdline(line: str, add: list[str], remove: list[str]) -> str:
    """Return the kernel's command line, one line, with words added and taken out.

    A word to remove that ends in "=" stands for any value. Of a word to add, an older value goes.
    """
    words = line.split()
    prefixes = tuple(word for word in remove if word.endswith("="))
    kept = [word for word in words if word not in remove and not (prefixes and word.startswith(prefixes))]
    for word in add:
        if word not in kept:
            kept.append(word)
    return " ".join(kept) + "\n"


def site_packages(facts: Facts) -> str:
    """Return the folder of the environment's packages."""
    assert facts.python is not None
    return f"{release_dir()}/lib/python{facts.python[0]}.{facts.python[1]}/site-packages"


def release_dir() -> str:
    """Return the folder of this version: updates go beside it, and `current` points to one of them."""
    return f"{RELEASES_DIR}/{cart.__version__}"


def profile_path(name: str) -> Path:
    """Return the hardware profile called `name`, or the file of that name; IMAGE-CART-FILE where there is none."""
    built_in = CHECKOUT / "firmware_config" / "profiles" / f"{name}.toml"
    found = built_in if built_in.is_file() else Path(name)
    if not found.is_file():
        known = ", ".join(sorted(path.stem for path in built_in.parent.glob("*.toml")))
        raise Fault("IMAGE-CART-FILE", f"there is no hardware profile {name!r}; known are {known}")
    return found


def _text(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def _words(name: str) -> list[str]:
    lines = [line.strip() for line in _text(name).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
