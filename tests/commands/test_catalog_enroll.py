"""`cart catalog enroll`: from photos to a model that knows one product more, and back."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from cart.__main__ import main
from cart.clock import ManualClock
from cart.edge.classifier import NETWORK_FILE, PACKAGED_DIR, runtime_module, verified
from cart.edge.model_store import ModelStore
from cart.faults import Fault
from cart.ports import Frame
from cart.vision import enroll, enroll_camera, process
from cart.vision.classify import Head

CATALOG = """# catalog version=1 currency=EUR
id,name,group,label,sold_by,price_minor,mass_mg,mass_sd_mg
tin,Striped tin,Tins,Striped-Tin,piece,100,400000,4000
other-tin,Other tin,Tins,Other-Tin,piece,100,400000,4000
banana,Banana,Banana,Banana,piece,100,170000,20000
plain,Without a label,,,piece,100,1000,10
"""


@pytest.fixture
def cart_dir(tmp_path, monkeypatch):
    """A cart's state with a catalogue and a model, and ten photos of a tin in tmp_path/tin.

    To the network drawn things are all alike and like nothing it knows, whatever it was trained on. So this model takes
    only what is all but the same for a duplicate.
    """
    try:
        runtime_module()
    except Fault as fault:
        pytest.skip(str(fault))
    (tmp_path / "store.csv").write_text(CATALOG, encoding="utf-8")
    (tmp_path / "cart.toml").write_text(
        f'[cart]\nstate_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}/run"\n'
        f'[catalog]\npath = "{tmp_path}/store.csv"\n[classifier]\nmodel_dir = "{tmp_path}/base"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("CART_CONFIG", str(tmp_path / "cart.toml"))
    photos_in(tmp_path / "tin", seed=1)
    packaged = enroll.read_model(PACKAGED_DIR)
    lenient = replace(packaged, habits=replace(packaged.habits, duplicate_cosine=0.9999))
    made = ModelStore(tmp_path / "made").add(
        {NETWORK_FILE: (PACKAGED_DIR / NETWORK_FILE).read_bytes(), **enroll.files(lenient)}
    )
    made.rename(tmp_path / "base")
    return tmp_path


def photos_in(folder, seed, count=10):
    """Write photos of one drawn thing, each from another side and in other light."""
    folder.mkdir()
    draw = np.random.default_rng(seed)
    thing = cv2.resize(draw.integers(0, 256, (5, 9, 3), dtype=np.uint8), (200, 150), interpolation=cv2.INTER_NEAREST)
    for number in range(count):
        scene = np.full((300, 300, 3), 40 + 5 * number, np.uint8)
        scene[::7] //= 2
        turn = cv2.getRotationMatrix2D((100, 75), 25 * number, 0.8 + 0.02 * number)
        turn[:, 2] += (50, 75)
        seen = cv2.warpAffine(thing, turn, (300, 300))
        scene[seen.any(axis=2)] = seen[seen.any(axis=2)]
        cv2.imwrite(str(folder / f"{number}.png"), scene)


def answer(capsys, *words):
    assert main(["catalog", *words, "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *words):
    code = main(["catalog", *words])
    assert code != 0
    return capsys.readouterr().err


def test_a_product_is_enrolled_from_a_folder_listed_recognised_and_forgotten(cart_dir, capsys):
    told = answer(capsys, "enroll", "tin", str(cart_dir / "tin"))
    assert (told["label"], told["photos"], told["version"]) == ("Striped-Tin", 10, "0001")
    current = cart_dir / "state" / "models" / "current"
    verified(current)
    assert Head.load(current).groups["Striped-Tin"] == "Tins"
    assert main(["camera", "classify", "--model-dir", str(current), str(cart_dir / "tin" / "4.png")]) == 0
    assert json.loads(capsys.readouterr().out)["scores"][0]["label"] == "Striped-Tin"
    listed = answer(capsys, "enrolled")
    assert listed["enrolled"] == [{"product": "tin", "label": "Striped-Tin", "photos": 10}]
    assert answer(capsys, "unenroll", "tin") == {"label": "Striped-Tin", "version": "0002"}
    assert answer(capsys, "enrolled")["enrolled"] == []
    assert answer(capsys, "enrolled", "--use", "0001")["enrolled"] != []


def test_the_second_product_is_learnt_on_top_of_the_first(cart_dir, capsys):
    answer(capsys, "enroll", "tin", str(cart_dir / "tin"))
    photos_in(cart_dir / "other", seed=8)
    answer(capsys, "enroll", "other-tin", str(cart_dir / "other"))
    assert [row["product"] for row in answer(capsys, "enrolled")["enrolled"]] == ["tin", "other-tin"]
    fresh = answer(capsys, "enrolled", "--from", "package")
    assert fresh["enrolled"] == []


def test_the_same_product_under_another_name_is_refused_with_the_known_one_named(cart_dir, capsys):
    answer(capsys, "enroll", "tin", str(cart_dir / "tin"))
    told = refusal(capsys, "enroll", "other-tin", str(cart_dir / "tin"))
    assert "ENROLL-DUPLICATE" in told
    assert "Other-Tin looks like Striped-Tin: 1000 of 1000" in told
    assert answer(capsys, "enrolled")["versions"] == [
        {"version": "0001", "what": "enrolled tin from 10 photos", "in_use": True}
    ]


def test_what_cannot_be_enrolled_is_refused_before_any_photo_is_looked_at(cart_dir, capsys):
    folder = str(cart_dir / "tin")
    assert "did you mean banana" in refusal(capsys, "enroll", "bananna", folder)
    assert "Banana is known already" in refusal(capsys, "enroll", "banana", folder)
    assert "has no label in the catalogue" in refusal(capsys, "enroll", "plain", folder)
    assert "ENROLL-LABEL" in refusal(capsys, "unenroll", "tin")
    assert answer(capsys, "enrolled")["versions"] == []


def test_photos_that_are_alike_broken_or_missing_are_named_and_too_few_are_refused(cart_dir, capsys):
    folder = cart_dir / "tin"
    (folder / "0.png").write_bytes(b"junk")
    (folder / "2.png").write_bytes((folder / "1.png").read_bytes())
    told = refusal(capsys, "enroll", "tin", str(folder), str(cart_dir / "missing.jpg"))
    assert f"{folder}/0.png: not used: not a picture" in told
    assert f"{folder}/2.png: not used: the same picture as {folder}/1.png" in told
    assert "missing.jpg: not used: no such file" in told
    assert "8 of 11 are usable, 10 are needed" in told


class Passes:
    """A camera before which a thing passes, each time turned; 15 frames a second of its own time."""

    def __init__(self, folder):
        things = [cv2.imread(str(path)) for path in sorted(folder.iterdir())]
        self._frames = [view for thing in things for view in (*[self._view(None)] * 8, *[self._view(thing)] * 12)]
        self._next = 0
        self.closed = False

    def _view(self, thing):
        frame = np.full((480, 640, 3), 110, np.uint8)
        if thing is not None:
            frame[90:390, 170:470] = thing
        return frame

    def next_frame(self, timeout_ms):
        self._next += 1
        if self._next > len(self._frames):
            raise OSError("the film is over")
        return Frame(self._next * 66_000_000, self._frames[self._next - 1])

    def close(self):
        self.closed = True


def test_passes_before_the_camera_serve_as_photos(cart_dir, capsys, monkeypatch):
    photos_in(cart_dir / "turned", seed=1, count=18)
    camera = Passes(cart_dir / "turned")
    monkeypatch.setattr(process, "open_camera", lambda settings, clock: camera)
    told = answer(capsys, "enroll", "tin", "--camera")
    assert (told["photos"], told["label"], camera.closed) == (16, "Striped-Tin", True)


def test_a_camera_that_is_lost_is_a_fault_and_no_model_is_made(cart_dir, capsys, monkeypatch):
    monkeypatch.setattr(process, "open_camera", lambda settings, clock: Passes(cart_dir / "tin"))
    assert "CAMERA-MISSING" in refusal(capsys, "enroll", "tin", "--camera")
    assert answer(capsys, "enrolled")["versions"] == []


def test_enough_photos_are_taken_when_no_more_come_and_an_empty_view_is_none(cart_dir):
    camera = Passes(cart_dir / "tin")
    camera._frames += [camera._view(None)] * 100
    taken = enroll_camera.gathered(camera, 10, 16, 1_000_000_000, ManualClock(), lambda count: None, pytest.fail)
    assert len(taken) == 10


class Silent:
    """A camera that is there and gives no frame."""

    def next_frame(self, timeout_ms):
        self.left -= 1
        if not self.left:
            raise OSError("unplugged at last")

    def close(self):
        pass


@pytest.mark.parametrize(("timeouts", "said"), [(5, 0), (6, 1), (40, 1)])
def test_a_camera_without_frames_is_waited_for_and_that_is_said_once(cart_dir, capsys, monkeypatch, timeouts, said):
    camera = Silent()
    camera.left = timeouts + 1
    monkeypatch.setattr(process, "open_camera", lambda settings, clock: camera)
    told = refusal(capsys, "enroll", "tin", "--camera")
    assert told.count("yet: waiting, 60 s in all") == said


def test_photos_or_the_camera_but_not_both(cart_dir, capsys):
    for words in (["tin"], ["tin", "x.jpg", "--camera"]):
        with pytest.raises(SystemExit) as end:
            main(["catalog", "enroll", *words])
        assert end.value.code == 2
    capsys.readouterr()


def test_the_model_in_use_may_be_configured_before_the_first_enrolment(cart_dir, capsys):
    toml = cart_dir / "cart.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("/base", "/state/models/current"), encoding="utf-8")
    assert answer(capsys, "enrolled")["model"] == str(PACKAGED_DIR)
    assert main(["catalog", "enroll", "tin", str(cart_dir / "tin"), "--from", str(cart_dir / "base")]) == 0
    assert "[classifier] model_dir" not in capsys.readouterr().out  # it need not be said again


def test_a_broken_configuration_is_a_fault_and_nothing_is_written_elsewhere(cart_dir, capsys, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(cart_dir / "home"))
    with (cart_dir / "cart.toml").open("a", encoding="utf-8") as file:
        file.write("[cart\n")
    assert "CONFIG-FAULTS" in refusal(capsys, "enroll", "tin", str(cart_dir / "tin"))
    assert not (cart_dir / "home").exists()


def test_a_damaged_model_is_not_built_upon(cart_dir, capsys):
    answer(capsys, "enroll", "tin", str(cart_dir / "tin"))
    head = cart_dir / "state" / "models" / "0001" / "head.npz"
    head.write_bytes(head.read_bytes()[:-1])
    assert "MODEL-HASH" in refusal(capsys, "unenroll", "tin")


def test_what_is_known_is_refused_with_what_there_is_to_do(cart_dir, capsys):
    answer(capsys, "enroll", "tin", str(cart_dir / "tin"))
    assert "first cart catalog unenroll tin" in refusal(capsys, "enroll", "tin", str(cart_dir / "tin"))
    assert "nothing has to be taught" in refusal(capsys, "enroll", "banana", str(cart_dir / "tin"))


def test_a_damaged_model_is_listed_with_the_version_to_go_back_to(cart_dir, capsys):
    answer(capsys, "enroll", "tin", str(cart_dir / "tin"))
    answer(capsys, "unenroll", "tin")
    models = cart_dir / "state" / "models"
    (models / "0002" / "head.npz").write_bytes(b"torn")
    assert "cart catalog enrolled --use 0001" in refusal(capsys, "enrolled")
    assert [product["label"] for product in answer(capsys, "enrolled", "--use", "1")["enrolled"]] == ["Striped-Tin"]
    assert (models / "current").resolve().name == "0001"


def test_a_version_that_the_configuration_does_not_name_is_said_so(cart_dir, capsys):
    answer(capsys, "enroll", "tin", str(cart_dir / "tin"))
    assert main(["catalog", "enrolled"]) == 0
    assert "the cart takes none of them until cart.toml says" in capsys.readouterr().out
    toml = cart_dir / "cart.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("/base", "/state/models/current"), encoding="utf-8")
    assert main(["catalog", "enrolled"]) == 0
    assert "cart.toml" not in capsys.readouterr().out


def test_the_catalogue_that_is_shown_is_the_one_in_use(cart_dir, capsys):
    assert [product["id"] for product in answer(capsys, "show")["products"]] == ["tin", "other-tin", "banana", "plain"]
    assert len(answer(capsys, "show", "")["products"]) == 81


def test_of_two_enrolments_at_once_the_second_is_told_to_wait_and_nothing_is_lost(cart_dir, capsys):
    """Both would start from the same model, and the later one would write it without what the first taught."""
    photos_in(cart_dir / "other", seed=2)
    with ModelStore(cart_dir / "state" / "models").alone():
        said = refusal(capsys, "enroll", "other-tin", str(cart_dir / "other"))
    assert "another command" in said
    assert "photo" not in said  # at once, and not after the photos were taken
    answer(capsys, "enroll", "tin", str(cart_dir / "tin"))
    with ModelStore(cart_dir / "state" / "models").alone():
        assert "another command" in refusal(capsys, "unenroll", "tin")
