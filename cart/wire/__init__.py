"""Bytes to values and back, sans-IO: nothing here opens, reads or waits."""
