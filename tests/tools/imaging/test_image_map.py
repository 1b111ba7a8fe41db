"""A block map that somebody gives: only one of this very image, with its ranges in order, decides what is written."""

import lzma

import pytest

from cart.faults import Fault
from tests.tools import loops
from tools.imaging import bmap, image_facts
from tools.imaging.progress import Progress

MIB = loops.MIB
QUIET = Progress(quiet=True)


def gathered(path, xml, tmp_path):
    (tmp_path / "given.bmap").write_text(xml)
    return image_facts.gather(path, QUIET, mapped=tmp_path / "given.bmap", look=False)


def without(made, *numbers):
    ranges = tuple(row for number, row in enumerate(made.ranges) if number not in numbers)
    return bmap.to_xml(bmap.BlockMap(made.size_bytes, ranges), "i.img")


@pytest.fixture
def path(tmp_path):
    return loops.make_image(tmp_path / "i.img", 9 * MIB + 512, holes=0)


@pytest.mark.parametrize("packed", [False, True])
def test_what_a_map_of_this_image_leaves_out_is_no_piece(path, tmp_path, packed):
    xml = without(bmap.measure(path), 2, 3)
    if packed:
        path.write_bytes(lzma.compress(path.read_bytes(), preset=0))
    image, _ = gathered(path, xml, tmp_path)
    assert image.body_bytes == 6 * MIB + 512
    assert all(not 2 * MIB <= piece.offset < 4 * MIB for piece in image.pieces)


def test_the_map_of_another_image_is_refused_with_the_place_that_differs(path, tmp_path):
    xml = without(bmap.measure(path), 2)
    with path.open("r+b") as file:
        file.seek(5 * MIB + 7)
        file.write(b"?")
    with pytest.raises(Fault, match=rf"IMAGE-MAP.*bytes {5 * MIB} to {6 * MIB - 1}"):
        gathered(path, xml, tmp_path)


def test_the_map_of_a_longer_image_is_refused(path, tmp_path):
    xml = without(bmap.measure(path))
    with path.open("r+b") as file:
        file.truncate(9 * MIB)
    with pytest.raises(Fault, match=r"IMAGE-MAP.*it is of an image of 9437696 bytes"):
        gathered(path, xml, tmp_path)


@pytest.mark.parametrize("order", [(0, 2, 1), (0, 1, 1)])
def test_ranges_that_overlap_or_are_out_of_order_are_refused(path, tmp_path, order):
    made = bmap.measure(path)
    xml = bmap.to_xml(bmap.BlockMap(made.size_bytes, tuple(made.ranges[number] for number in order)), "i.img")
    with pytest.raises(Fault, match=r"IMAGE-MAP.*overlaps"):
        gathered(path, xml, tmp_path)
