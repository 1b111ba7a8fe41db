"""The vision process: frames to sightings. Pixels stay in here; only events leave it.

locate (where bars may be) -> reader (engines, overlap rule) -> check (does the picture really say that number)
-> track (passes of items through the view) -> process (camera in, events out). classify turns a crop into evidence.
"""

import os

# Set before OpenCV loads: a photo that claims to be a hundred times larger than a camera's is refused, not unpacked.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(100_000_000))
