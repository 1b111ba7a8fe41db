"""The command line: `cart VERB ...`.

A verb's module is imported only when it is chosen, so `cart --help` stays quick and pulls in no vendor package.
Exit codes: 0 ok, 1 failed check, 2 usage, 3 configuration, 4 hardware.
"""

import argparse
import sys
from importlib import import_module

from cart import __version__, output
from cart.faults import EXIT_FAILED, Fault

# verb -> one line of help. The module is cart/commands/<verb>.py.
VERBS = {
    "run": "run the cart's daemon",
    "vision": "run the camera process: barcodes and the classifier",
    "bench": "run the whole cart against a simulated world",
    "replay": "run a recording again and compare every effect",
    "config": "check, show or explain the configuration",
    "doctor": "check this machine and say how to mend what is wrong",
    "scale": "watch, calibrate or decode the load cell",
    "camera": "read and classify photos, test the camera",
    "catalog": "show or check the catalogue, teach the classifier",
    "outbox": "list charges that wait for the store",
    "seal": "show or make the record of what was verified together",
    "version": "print the version and what it runs on",
}

EPILOG = """exit codes: 0 ok, 1 failed check, 2 usage, 3 configuration, 4 hardware
NO_COLOR switches colours off. `cart VERB --help` explains a verb."""


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit code; a Fault is printed with its next step."""
    try:
        with output.guarded():
            return _run(argv)
    except Fault as fault:
        print(describe(fault), file=sys.stderr)
        return fault.text.exit_code
    except output.OutputLost as lost:
        # A reader that went away (`cart outbox | head`) has what it wanted: nothing is said then.
        if not lost.reader_left:
            print(describe(Fault("OUTPUT-LOST", str(lost))), file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130


def describe(fault: Fault) -> str:
    """Return the lines that a person sees: code, meaning, detail, likely causes, next step."""
    text = fault.text
    lines = [f"cart: {fault.code}: {text.meaning}" + (f": {fault.detail}" if fault.detail else "")]
    lines += [f"  likely: {cause}" for cause in text.causes]
    lines.append(f"  next:   {text.next_step}")
    return "\n".join(lines)


def _run(argv: list[str] | None) -> int:
    args = _top_parser().parse_args(argv)
    if args.verb is None:
        _top_parser().print_help()
        return 2
    return _run_verb(args.verb, args.rest, verbose=args.verbose)


def _run_verb(verb: str, rest: list[str], *, verbose: int) -> int:
    import logging

    from cart import logs

    logs.set_up((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
    module = import_module(f"cart.commands.{verb.replace('-', '_')}")
    parser = argparse.ArgumentParser(
        prog=f"cart {verb}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    result: int = module.run(parser.parse_args(rest))
    return result


def _top_parser() -> argparse.ArgumentParser:
    width = max(len(verb) for verb in VERBS)
    table = "\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="cart",
        description=f"Controller of a smart cart.\n\nverbs:\n{table}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cart {__version__}")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="log more; twice for everything")
    parser.add_argument("verb", nargs="?", metavar="VERB", choices=sorted(VERBS), help="one of the verbs above")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="what the verb takes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
