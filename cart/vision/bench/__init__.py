"""The bench of seeing: how well codes and things are recognised, in tables that a person and a program can read.

`sections` names what is measured; each section is a module of its own with one function `measure(plan, progress)`
that returns a `Result`. Nothing here runs on a cart.
"""
