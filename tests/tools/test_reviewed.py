"""Reviewed pictures: what is right is learnt from, what is wrong is refused with the next step, all of it at once."""

import cv2
import numpy as np
import pytest

from tools.training import reviewed
from tools.training.photos import Labels, Photos
from tools.training.reviewed import BadReview

LABELS = Labels(("Granny-Smith", "Leek"), ("Apple", "Leek"))


@pytest.fixture
def folder(tmp_path):
    """Two pictures of one known product."""
    for number in range(2):
        put(tmp_path / "Leek" / f"{number}.png", number)
    return tmp_path


def put(path, seed, side_px=80):
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), pixels)


def refusal(folder) -> str:
    with pytest.raises(BadReview) as caught:
        reviewed.read(folder, LABELS, {})
    return str(caught.value)


def test_pictures_are_learnt_under_the_name_of_their_folder(folder):
    found = reviewed.read(folder, LABELS, {})
    assert found.labels == LABELS
    assert found.photos.classes.tolist() == [1, 1]
    assert [path.rpartition("/")[2] for path in found.photos.paths] == ["0.png", "1.png"]


def test_a_new_product_that_is_declared_comes_behind_the_known_ones(folder):
    (folder / "labels.csv").write_text("Oat-Drink,Oat-Milk\n", encoding="utf-8")
    for number in range(reviewed.NEW_PHOTOS_MIN):
        put(folder / "Oat-Drink" / f"{number}.jpg", 100 + number)
    found = reviewed.read(folder, LABELS, {})
    assert found.labels.fine == ("Granny-Smith", "Leek", "Oat-Drink")
    assert found.labels.coarse == ("Apple", "Leek", "Oat-Milk")
    assert found.photos.classes.tolist().count(2) == reviewed.NEW_PHOTOS_MIN


def test_a_new_product_with_few_pictures_is_refused(folder):
    (folder / "labels.csv").write_text("Oat-Drink,Oat-Milk\n", encoding="utf-8")
    put(folder / "Oat-Drink" / "1.jpg", 5)
    assert "1 pictures for a new product; gather at least 10" in refusal(folder)


def test_a_label_that_nobody_declared_is_refused(folder):
    put(folder / "Leak" / "1.png", 9)
    assert "Leak: no such label; rename it as in classes.csv, or add it to labels.csv" in refusal(folder)


def test_everything_wrong_is_named_at_once(folder):
    (folder / "note.txt").write_text("x")
    (folder / "Leek" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "Leek" / "film.mp4").write_bytes(b"x")
    put(folder / "Leek" / "tiny.png", 4, side_px=20)
    lines = refusal(folder).splitlines()
    assert len(lines) == 4
    for part in ("note.txt: lies beside", "broken.jpg: not a picture", "film.mp4: not a", "tiny.png: 20 x 20 pixels"):
        assert any(part in line for line in lines)


def test_one_picture_under_two_labels_is_refused(folder):
    put(folder / "Granny-Smith" / "copy.png", 0)
    assert "the same picture as" in refusal(folder)


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_copy_of_a_photo_of_the_data_set_is_refused_under_any_label(folder, tmp_path_factory, split):
    data = tmp_path_factory.mktemp("data")
    put(data / split / "a.png", 0)
    put(data / split / "b.png", 99)
    known = reviewed.digests(data, Photos((f"{split}/a.png", f"{split}/b.png"), np.array([0, 1])), split)
    with pytest.raises(BadReview) as caught:
        reviewed.read(folder, LABELS, known)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1
    assert lines[0].endswith(f"0.png: the same picture as {split} photo {split}/a.png of the data set; take it out")


def test_an_empty_folder_and_one_that_is_not_there_are_refused(tmp_path):
    assert "no picture in it" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("line", ["Oat-Drink", "Leek,Leek", "../up,Oat-Milk", "a,b,c", ",b"])
def test_a_bad_line_of_labels_is_refused_with_its_number(folder, line):
    (folder / "labels.csv").write_text(f"\n{line}\n", encoding="utf-8")
    assert "labels.csv:2: " in refusal(folder)
