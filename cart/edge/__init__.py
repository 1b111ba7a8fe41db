"""The thin edge: one vendor package in one module, no decisions."""
