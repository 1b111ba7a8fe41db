"""MicroPython runs this file at every start of the board."""

from loadcell.start import run

run()
