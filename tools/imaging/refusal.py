"""What must not be written, and why. Pure: recorded facts go in, refusals come out.

Each rule is one function; `decide` asks all of them, so that a person sees every reason at once. People have lost
disks to writers that decide by a device's name: no rule here looks at it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tools.imaging.targets import Identity, Target

MAX_SIZE_BYTES = 256 * 10**9
MACHINE = "aarch64"
KINDS = {
    "file": "an ordinary file",
    "directory": "a folder",
    "character": "a character device",
    "missing": "not there",
    "other": "neither a file nor a device",
}
SYSTEM_PLACES = ("/", "/boot", "/usr", "/var", "/home", "/efi")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason not to write.

    code    stable: scripts look at it
    remedy  what to do about it
    """

    code: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of the image; what nobody looked at keeps its default and refuses nothing.

    size_bytes          unpacked
    sha256              of the unpacked image, "" while it is not known
    damage              why the file cannot be read to its end, "" when it can
    layout_end_bytes    where its last partition ends, None for an image without a partition table
    unusable            why its file systems cannot be looked into, "" when they can or nobody tried
    expected_*          what the manifest or the person says it must be
    machine             what its programs are built for, such as "aarch64"
    dirty_ext4          partitions whose file system was not left clean
    unknown_features    ext4 features that the tools of this machine do not know
    free_bytes          free in the root file system, against needed_bytes for what goes in
    """

    size_bytes: int
    sha256: str = ""
    damage: str = ""
    layout_end_bytes: int | None = None
    unusable: str = ""
    expected_size_bytes: int | None = None
    expected_sha256: str = ""
    machine: str = ""
    dirty_ext4: tuple[str, ...] = ()
    unknown_features: tuple[str, ...] = ()
    free_bytes: int | None = None
    needed_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """What the person allowed.

    confirmed  identity of the device that the person agreed to; None before the prompt
    used       identities of the cards that this run has finished: the person forgot to change the card
    machine    what images must be built for; "" takes any
    given_up   carts whose finished card may be overwritten: their results are marked
    """

    max_size_bytes: int = MAX_SIZE_BYTES
    allow_fixed: bool = False
    allow_loop: bool = False
    confirmed: Identity | None = None
    used: frozenset[Identity] = frozenset()
    machine: str = MACHINE
    given_up: frozenset[str] = frozenset()


def decide(target: Target, image: ImageFacts | None, options: Options) -> list[Refusal]:
    """Return every reason not to write `image` to `target`; none means that it may be written.

    image  None when only the device is in question
    """
    refusals = image_refusals(image, options) if image else []
    if target.kind != "block":
        return [_not_block(target), *refusals]
    return [refusal for rule in TARGET_RULES if (refusal := rule(target, image, options))] + refusals


def image_refusals(image: ImageFacts, options: Options) -> list[Refusal]:
    """Return every reason not to use the image, wherever it should go."""
    return [refusal for rule in IMAGE_RULES if (refusal := rule(image, options))]


# -- the device ------------------------------------------------------------------------------


def _not_block(target: Target) -> Refusal:
    return Refusal(
        "not-block-device",
        f"{target.path} is {KINDS[target.kind]}" + (", not a block device" if target.kind != "missing" else ""),
        "name the card's device, such as /dev/sdX: `lsblk -o NAME,SIZE,MODEL,SERIAL` lists them",
    )


def _partition(target: Target, _: ImageFacts | None, __: Options) -> Refusal | None:
    if target.type != "part":
        return None
    return Refusal("partition", f"{target.path} is a partition", "name the whole device that it is a part of")


def _root(target: Target, _: ImageFacts | None, __: Options) -> Refusal | None:
    places = [mount.place for mount in target.mounts if is_system_place(mount.place)]
    if not places:
        return None
    return Refusal("root", f"this machine runs from it: it holds {', '.join(places)}", "name another device")


def _mounted(target: Target, _: ImageFacts | None, __: Options) -> Refusal | None:
    mounts = [mount for mount in target.mounts if not is_system_place(mount.place)]
    if not mounts:
        return None
    listed = ", ".join(f"{mount.device} at {mount.place}" for mount in mounts)
    devices = " ".join(sorted({mount.device for mount in mounts}))
    return Refusal("mounted", f"it is mounted: {listed}", f"look at what is on it, then: sudo umount {devices}")


def _swap(target: Target, _: ImageFacts | None, __: Options) -> Refusal | None:
    if not target.swaps:
        return None
    listed = " ".join(target.swaps)
    return Refusal("swap", f"this machine swaps to {listed}", f"name another device, or: sudo swapoff {listed}")


def _holder(target: Target, _: ImageFacts | None, __: Options) -> Refusal | None:
    if target.holders:
        listed = ", ".join(target.holders)
        return Refusal("holder", f"volumes are built upon it: {listed}", "name another device, or take them down first")
    if target.members:
        listed = ", ".join(target.members)
        return Refusal("holder", f"it belongs to a set of disks: {listed}", "name another device, or clear it: wipefs")
    return None


def _fixed(target: Target, _: ImageFacts | None, options: Options) -> Refusal | None:
    if target.type == "loop":
        if options.allow_loop:
            return None
        return Refusal("fixed-disk", f"{target.path} is a loop device", "for a trial, add --allow-loop")
    if target.type not in ("disk", "part"):
        return Refusal("fixed-disk", f"{target.path} is a {target.type} device, not a card", "name the card's device")
    if target.embedded and not options.allow_fixed:
        return Refusal("fixed-disk", "it is an eMMC chip, not a card", "add --allow-fixed only if you are certain")
    card = target.removable or target.hotplug or target.transport in ("usb", "mmc")
    if card or options.allow_fixed:
        return None
    reason = f"it is neither removable nor on USB or MMC (transport: {target.transport or 'unknown'})"
    return Refusal("fixed-disk", reason, "name the card's device; add --allow-fixed only if you are certain")


def _read_only(target: Target, _: ImageFacts | None, __: Options) -> Refusal | None:
    if not target.read_only:
        return None
    remedy = "slide the card's lock up, or try another adapter; a worn-out card locks itself for good"
    return Refusal("read-only", "it can only be read", remedy)


def _too_small(target: Target, image: ImageFacts | None, _: Options) -> Refusal | None:
    if target.size_bytes == 0:
        return Refusal("too-small", "it has no size: there is no card in the reader", "put a card in")
    if image is None or target.size_bytes >= image.size_bytes:
        return None
    missing = image.size_bytes - target.size_bytes
    reason = f"it holds {target.size_bytes} bytes and the image has {image.size_bytes}: {missing} too few"
    return Refusal("too-small", reason, "take a larger card")


def _too_large(target: Target, _: ImageFacts | None, options: Options) -> Refusal | None:
    if target.size_bytes <= options.max_size_bytes:
        return None
    reason = f"it holds {_gb(target.size_bytes)}, more than the {_gb(options.max_size_bytes)} that a card may have"
    return Refusal("too-large", reason, "check that this is the card, then raise --max-size")


def _changed(target: Target, _: ImageFacts | None, options: Options) -> Refusal | None:
    if options.confirmed in (None, target.identity):
        return None
    fields = Identity.__dataclass_fields__
    changed = [name for name in fields if getattr(options.confirmed, name) != getattr(target.identity, name)]
    listed = ", ".join(
        f"{name} was {getattr(options.confirmed, name)!r} and is {getattr(target.identity, name)!r}" for name in changed
    )
    return Refusal("identity-changed", f"it is not the device that was confirmed: {listed}", "start again")


def _used(target: Target, _: ImageFacts | None, options: Options) -> Refusal | None:
    if target.identity not in options.used:
        return None
    return Refusal("already-written", "this card was written a moment ago for another cart", "put the next card in")


TARGET_RULES: tuple[Callable[[Target, ImageFacts | None, Options], Refusal | None], ...] = (
    _changed,
    _used,
    _partition,
    _root,
    _mounted,
    _swap,
    _holder,
    _fixed,
    _read_only,
    _too_small,
    _too_large,
)


# -- the image -------------------------------------------------------------------------------


def _truncated(image: ImageFacts, _: Options) -> Refusal | None:
    again = "fetch or build the image again"
    if image.damage:
        return Refusal("image-truncated", image.damage, again)
    if image.expected_size_bytes not in (None, image.size_bytes):
        reason = f"it has {image.size_bytes} bytes where its manifest says {image.expected_size_bytes}"
        return Refusal("image-truncated", reason, again)
    if image.layout_end_bytes is None:
        return Refusal("image-truncated", "it has no partition table: it is not an image of a card", again)
    if image.layout_end_bytes > image.size_bytes:
        reason = f"its partitions end at byte {image.layout_end_bytes} and the image at byte {image.size_bytes}"
        return Refusal("image-truncated", reason, again)
    return None


def _wrong_hash(image: ImageFacts, _: Options) -> Refusal | None:
    if not image.expected_sha256 or not image.sha256 or image.sha256 == image.expected_sha256.lower():
        return None
    reason = f"its sha256 is {image.sha256} where {image.expected_sha256.lower()} was expected"
    return Refusal("wrong-hash", reason, "this is another image or a damaged one: fetch or build it again")


def _unusable(image: ImageFacts, _: Options) -> Refusal | None:
    if not image.unusable or image.damage:
        return None
    return Refusal("not-for-a-cart", image.unusable, "take an image that `build` or `stamp` made; or add --machine any")


def _wrong_machine(image: ImageFacts, options: Options) -> Refusal | None:
    if not image.machine or not options.machine or image.machine == options.machine:
        return None
    reason = f"its programs are built for {image.machine}, and a cart is {options.machine}"
    return Refusal("wrong-architecture", reason, "take the 64-bit image of Raspberry Pi OS Lite")


def _dirty_ext4(image: ImageFacts, _: Options) -> Refusal | None:
    if not image.dirty_ext4:
        return None
    reason = f"{', '.join(image.dirty_ext4)}: the ext4 file system was not left clean"
    return Refusal("dirty-ext4", reason, "this is a copy of a running card: start from the image as downloaded")


def _unknown_feature(image: ImageFacts, _: Options) -> Refusal | None:
    if not image.unknown_features:
        return None
    reason = f"ext4 features unknown to the tools here: {', '.join(image.unknown_features)}"
    return Refusal("unknown-ext4-feature", reason, "install a newer e2fsprogs")


def _no_space(image: ImageFacts, _: Options) -> Refusal | None:
    if image.free_bytes is None or image.free_bytes >= image.needed_bytes:
        return None
    reason = f"its root file system has {image.free_bytes} bytes free and {image.needed_bytes} are needed"
    return Refusal("no-free-space", reason, "build with a larger root file system")


IMAGE_RULES: tuple[Callable[[ImageFacts, Options], Refusal | None], ...] = (
    _truncated,
    _wrong_hash,
    _unusable,
    _wrong_machine,
    _dirty_ext4,
    _unknown_feature,
    _no_space,
)


def is_system_place(place: str) -> bool:
    """Return True for a mount point that this machine runs from."""
    return place in SYSTEM_PLACES or place.startswith("/boot/")


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 10**9:.1f} GB"
