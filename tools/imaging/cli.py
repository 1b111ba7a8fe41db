"""The command line of `./tools/image.py`: one function for each verb.

Exit codes as everywhere: 0 ok, 1 failed check, 2 usage, 3 configuration, 4 hardware. With -o json the result is one
object on standard output, a fault too: {"fault": CODE, "meaning", "detail", "causes", "next"}.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cart.__main__ import describe
from cart.faults import EXIT_FAILED, EXIT_OK, Fault
from tools.imaging import build, cart_file, cli_write, copying, device, facts, manifest, stamp, verify, wheelhouse
from tools.imaging.entries import file_sha256
from tools.imaging.programs import DEFAULT_EPOCH
from tools.imaging.progress import Progress

MB = 1_000_000
# FAT begins with 1980, and 32 bits of seconds end with 2106.
EPOCH_MIN, EPOCH_MAX = 315_532_800, (1 << 32) - 1


def main(argv: list[str] | None = None, description: str | None = None) -> int:
    """Run one verb and return the exit code; a Fault is printed with its next step."""
    args = _parser(description).parse_args(argv)
    try:
        code = args.run(args)
        sys.stdout.flush()
        return code
    except Fault as met:
        fault = met
    except BrokenPipeError:
        # The reader went away (`inspect | head`): nothing more can be printed, not even at the end by Python.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        fault = copying.disk_fault(error)
    except KeyboardInterrupt:
        return 130
    if getattr(args, "output", "text") == "json":
        print(json.dumps(_fault_row(fault)))
    else:
        print(describe(fault).replace("cart: ", "image: ", 1), file=sys.stderr)
    return fault.text.exit_code


def _parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="image", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_inspect(verbs)
    _add_wheelhouse(verbs)
    _add_build(verbs)
    _add_token(verbs)
    _add_stamp(verbs)
    _add_verify(verbs)
    cli_write.add_write(verbs)
    cli_write.add_fleet(verbs)
    return parser


# -- inspect -----------------------------------------------------------------------------


def _add_inspect(verbs: Any) -> None:
    parser = verbs.add_parser("inspect", help="say what is in an image, and whether it can be built on")
    parser.add_argument("image", type=Path, metavar="IMAGE", help=".img or .img.xz; it is only read")
    parser.add_argument("--hash", action="store_true", help="the sha256 too, which takes a while")
    _add_output(parser)
    parser.set_defaults(run=_inspect)


def _inspect(args: argparse.Namespace) -> int:
    progress = Progress(quiet=args.output == "json")
    _check_there(args.image)
    with tempfile.TemporaryDirectory(prefix="cart-image-", dir=args.image.absolute().parent) as folder:
        path, hashes = args.image, {}
        if copying.is_packed(path):
            copied = copying.copy_hashed(path, Path(folder) / path.name, progress)
            hashes = {"extract_sha256": copied.sha256, "image_download_sha256": copied.packed_sha256}
            path = Path(folder) / path.name
        elif args.hash:
            hashes = {"extract_sha256": file_sha256(path)}
        image = facts.opened(path)
        found = facts.gather(image)
        told = found.to_json() | hashes | {"usable": True, "reason": ""}
        try:
            facts.check_usable(found)
            image.root.check(args.image.name)
        except Fault as fault:
            told |= {"usable": False, "reason": str(fault)}
    _print(args, told, lambda: _facts_text(told))
    return EXIT_OK if told["usable"] else 1


def _facts_text(told: dict[str, Any]) -> str:
    rows = [("system", told["os_name"] or "unknown"), ("python", told["python"] or "none")]
    rows += [("machine", told["machine"] or "unknown"), ("first boot", told["first_boot"])]
    rows += [("network", told["network"] or "none"), ("size", f"{told['size_bytes'] / MB:,.0f} MB")]
    for p in told["table"]["partitions"]:
        rows.append(
            (f"partition {p['number']}", f"type {p['kind']}, {p['size_bytes'] / MB:,.0f} MB at {p['start_bytes']}")
        )
    rows += [("free", f"{told['root_free_bytes'] / MB:,.0f} MB root, {told['boot_free_bytes'] / MB:,.0f} MB boot")]
    rows += [("features", " ".join(told["features"])), ("state", told["dirty"] or "clean")]
    rows += [(key, told[key]) for key in ("extract_sha256", "image_download_sha256") if told.get(key)]
    rows += [("usable", "yes" if told["usable"] else f"no: {told['reason']}")]
    return "\n".join(f"{name:<12} {value}" for name, value in rows)


# -- wheelhouse, build ---------------------------------------------------------------------


def _add_wheelhouse(verbs: Any) -> None:
    parser = verbs.add_parser("wheelhouse", help="download the wheels of an OS release, with their hashes")
    parser.add_argument("--release", required=True, choices=sorted(facts.RELEASES), help="which one")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where to; what is there is kept")
    _add_output(parser)
    parser.set_defaults(run=_wheelhouse)


def _wheelhouse(args: argparse.Namespace) -> int:
    progress = Progress(quiet=args.output == "json")
    progress.say(f"fetching the wheels of {args.release} into {args.out}: some 50 MB the first time")
    record = wheelhouse.fetch(args.release, args.out, device.requirements())
    _print(args, record, lambda: f"{len(record['wheels'])} wheels for {record['release']} in {args.out}")
    return EXIT_OK


def _add_build(verbs: Any) -> None:
    parser = verbs.add_parser("build", help="copy a stock image and put on it what all carts share")
    parser.add_argument("base", type=Path, metavar="BASE", help="stock image, .img or .img.xz; it is only read")
    parser.add_argument("--wheels", required=True, type=Path, metavar="DIR", help="made by: image.py wheelhouse")
    parser.add_argument("--out", required=True, type=Path, metavar="IMAGE", help="the image to make")
    parser.add_argument(
        "--base-sha256",
        type=cli_write.sha256,
        metavar="HEX",
        help="what BASE has to be (default: what BASE.sha256 says)",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="cart.toml of all carts (default: the defaults)")
    parser.add_argument(
        "--spare-mb", type=_whole(0, 1_000_000), default=build.SPARE_BYTES // MB, metavar="MB",
        help="room to leave on the root partition (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--epoch", type=_whole(EPOCH_MIN, EPOCH_MAX), metavar="SECONDS",
        default=os.environ.get("SOURCE_DATE_EPOCH", str(DEFAULT_EPOCH)),
        help="the time that is written into the image (default: $SOURCE_DATE_EPOCH, or %(default)s)",
    )  # fmt: skip
    _add_output(parser)
    parser.set_defaults(run=_build)


def _build(args: argparse.Namespace) -> int:
    order = build.Order(
        base=args.base, wheels=args.wheels, out=args.out, base_sha256=args.base_sha256 or "",
        config_file=args.config, spare_bytes=args.spare_mb * MB, epoch=args.epoch,
    )  # fmt: skip
    told = build.build(order, Progress(quiet=args.output == "json"))
    advice = ['what to do about it: "Packages from apt" in docs/OPERATING.md'] if told["lacks"] else []
    _print(args, told, lambda: "\n".join([_made_text(args.out, told), *told["lacks"], *advice]))
    return EXIT_OK


def _whole(low: int, high: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not re.fullmatch(r"\d{1,12}", text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return whole


# -- token, stamp, verify ------------------------------------------------------------------


def _add_token(verbs: Any) -> None:
    parser = verbs.add_parser("token", help="print a new enrolment token for a cart's file")
    parser.set_defaults(run=lambda _args: print(stamp.new_token()) or EXIT_OK)


def _add_stamp(verbs: Any) -> None:
    parser = verbs.add_parser(
        "stamp", help="make a built image that of one cart",
        description=cart_file.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("base", type=Path, metavar="BASE", help="an image that `build` made; it is only read")
    parser.add_argument("--cart", required=True, type=Path, metavar="FILE", help="which cart: see above")
    parser.add_argument("--out", required=True, type=Path, metavar="IMAGE", help="the image to make")
    _add_output(parser)
    parser.set_defaults(run=_stamp)


def _stamp(args: argparse.Namespace) -> int:
    order = stamp.Order(args.base, cart_file.load(args.cart), args.out)
    told = stamp.stamp(order, Progress(quiet=args.output == "json"))
    lacking = cart_file.lacks(order.cart)
    _print(args, told | {"lacks": lacking}, lambda: "\n".join([_made_text(args.out, told), *lacking]))
    return EXIT_OK


def _add_verify(verbs: Any) -> None:
    parser = verbs.add_parser("verify", help="compare an image with its manifest and its map, byte for byte")
    parser.add_argument("image", type=Path, metavar="IMAGE", help="an image that `build` or `stamp` made")
    parser.add_argument("--manifest", type=Path, metavar="FILE", help="default: the one beside the image")
    _add_output(parser)
    parser.set_defaults(run=_verify)


def _verify(args: argparse.Namespace) -> int:
    _check_there(args.image)
    told = manifest.load(args.manifest or manifest.beside(args.image, manifest.SUFFIX))
    block_map = verify.load_map(args.image, told)
    verdict = verify.verify(args.image, told, block_map, Progress(quiet=args.output == "json"))
    row = {"image": str(args.image), "ok": not verdict.problems, "problems": list(verdict.problems)}
    row |= {"files": verdict.files, "size_bytes": verdict.size_bytes, "first_offset": verdict.first_offset}
    good = f"{args.image}: {verdict.files} files and all {verdict.size_bytes} bytes are as they were made"
    _print(args, row, lambda: "\n".join(verdict.problems) or good)
    if verdict.problems and args.output == "text":
        raise Fault("IMAGE-DAMAGED", f"{args.image}: {len(verdict.problems)} found, see above")
    return 1 if verdict.problems else EXIT_OK


# -- printing ------------------------------------------------------------------------------


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print the result")


def _print(args: argparse.Namespace, row: dict[str, Any], text: Any) -> None:
    print(json.dumps(row, indent=1, sort_keys=True) if args.output == "json" else text())


def _made_text(out: Path, told: manifest.Manifest) -> str:
    lines = [f"{out}: {told['extract_size'] / MB:,.0f} MB, {len(told['files'])} entries read back"]
    lines += [f"sha256 {told['extract_sha256']}"]
    lines += [f"beside it: {', '.join(out.name + end for end in _SUFFIXES)}"]
    return "\n".join(lines)


_SUFFIXES = (manifest.SUFFIX, manifest.MAP_SUFFIX, manifest.REPOSITORY_SUFFIX)


def _check_there(image: Path) -> None:
    if not image.is_file():
        raise Fault("IMAGE-UNREADABLE", f"{image}: there is no such file")


def _fault_row(fault: Fault) -> dict[str, Any]:
    text = fault.text
    told = {"fault": fault.code, "meaning": text.meaning, "detail": fault.detail}
    return told | {"causes": list(text.causes), "next": text.next_step}
