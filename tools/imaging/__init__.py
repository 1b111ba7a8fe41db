"""Device images without root and without mounting: read, fill, stamp, check and write them.

partitions, fat and ext4 reach into an image file; facts says what is in it; wheels and wheelhouse hold the Python
packages; build and stamp make images, bmap and manifest describe them, verify reads them back. identity is what a stamp
puts in, cart_file and fleet_table where a person says it. workroom keeps two runs, and what a killed one left, apart.
"""
