"""`stamp`: a built image becomes the image of one cart. Two stamps of the same cart are the same, bit for bit."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cart.faults import Fault
from tools.imaging import bmap, build, copying, device, facts, identity, manifest, verify, workroom
from tools.imaging.bmap import BlockMap
from tools.imaging.cart_file import CartFile
from tools.imaging.entries import Entry
from tools.imaging.manifest import Manifest
from tools.imaging.progress import Progress

TOKEN_BYTES = 24


@dataclass(frozen=True)
class Order:
    """What to stamp: a built image with manifest and map beside it, for which cart, and where to."""

    base: Path
    cart: CartFile
    out: Path


def new_token() -> str:
    """Return a new enrolment token: 192 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def stamp(order: Order, progress: Progress) -> Manifest:
    """Make the image of one cart and return its manifest; the base is only read, the result is whole or not there.

    Raises IMAGE-MANIFEST for a base that was not built, IMAGE-DAMAGED for one that is not as it was built,
    IMAGE-CART-FILE and CONFIG-FAULTS for what the cart's file asks for.
    """
    if order.out.exists() and order.out.samefile(order.base):
        raise Fault("IMAGE-NAME", f"{order.out} is the base itself, which is never changed: choose another name")
    built = manifest.load(manifest.beside(order.base, manifest.SUFFIX))
    if built.get("kind") != "build":
        raise Fault("IMAGE-MANIFEST", f"{order.base.name} is a {built.get('kind')}: stamp an image that `build` made")
    base_map = verify.load_map(order.base, built)
    entries, boot = identity.contents(identity.look(facts.opened(order.base, built["epoch"])), order.cart)
    # It will hold the cart's token and the network's key.
    with workroom.unfinished(order.out, secret=True) as part:
        copying.copy(order.base, part, progress)
        image = facts.opened(part, built["epoch"])
        put = [*image.root.write(entries), *device.boot_entries(boot)]
        image.boot.write(boot)
        with progress.step("hash", part.stat().st_size) as advance:
            made = bmap.measure(part, advance)
        check_base(order.base, base_map, made)
        return build.finish(image, order.out, _described(order, built, put), progress, made)


def check_base(base: Path, expected: BlockMap, made: BlockMap) -> None:
    """Refuse a base that is not as it was built: IMAGE-DAMAGED names the place.

    A part that is the same in the copy as in the base's map shows that the base was right there. So only those parts
    of the base are read again that the stamp changed: the whole check costs nothing beyond hashing the copy once.
    """
    if expected.size_bytes != made.size_bytes:
        raise Fault("IMAGE-TRUNCATED", f"{base.name} has {made.size_bytes} bytes, its map says {expected.size_bytes}")
    right = {(row.start, row.sha256) for row in made.ranges}
    doubtful = tuple(row for row in expected.ranges if (row.start, row.sha256) not in right)
    for damage in bmap.find_damage(base, BlockMap(expected.size_bytes, doubtful)):
        raise Fault("IMAGE-DAMAGED", f"{base.name} is not as it was built: {damage}")


def _described(order: Order, built: Manifest, put: list[Entry]) -> Manifest:
    """Return the manifest: what the base had, with the rows of what the stamp put in over it. Secrets stay hashes."""
    told = {key: value for key, value in built.items() if not re.match(r"extract_|bmap_|base$|wheels$|lacks$", key)}
    token = order.cart.enrolment.token if order.cart.enrolment else None
    return told | {
        "kind": "stamp",
        "name": order.out.name,
        "cart": msgspec.to_builtins(order.cart.cart),
        "enrolment_token_sha256": hashlib.sha256(token.encode()).hexdigest() if token else None,
        "base": {key: built[key] for key in ("name", "extract_size", "extract_sha256")},
        "files": manifest.rows(put, built["files"]),
    }
