"""The verbs of tools/cell.py: what is put onto the load cell's microcontroller, and whether it does as it should."""
