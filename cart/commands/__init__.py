"""The verbs of the command line: one module each, imported only when its verb is chosen.

A module offers `add_arguments(parser)` and `run(args) -> int` (0 ok, 1 failed check, 2 usage, 3 configuration,
4 hardware); its docstring is the text that `cart VERB --help` prints. The table of verbs is in `cart/__main__.py`.
"""
