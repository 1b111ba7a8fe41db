"""Fine-tuning the backbone: interrupted at any moment, and the same result as in one go.

Everything random in an epoch comes from the plan's seed and the epoch's number, and the state after each epoch is
written whole or not at all. So a run that was killed repeats at most one epoch, and ends with the same weights.

The recipe is the usual one for a small set: AdamW with a warm-up and a cosine down to zero, label smoothing, pictures
mixed with one another in the earlier epochs (Yun et al. 2019, Zhang et al. 2018), small pictures first (Tan and
Le 2021), and the moving average of the weights as the result. None of its numbers was tuned on val.
"""

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from tools.training import lite0
from tools.training.artifacts import sha256, write_atomically
from tools.training.augment import Look, seen_in_cart
from tools.training.backbone import State, imagenet_state

RECIPE = 2
"""Part of a run's name. Raise it when a step of training changes, so that no old state is continued."""

STATE_FILE = "state.pt"
LAYER_WEIGHT, LAYER_BIAS = "layer.weight", "layer.bias"
LAYER_START = 0.5
CLIP_NORM = 5.0
DROPOUT = 0.2
MIXUP_BETA = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does, as numbers.

    stages            (side in pixels, epochs), one after the other
    batch             pictures per step
    rate, layer_rate  highest learning rate of the backbone and of the linear layer on top
    mixed_share       share of the epochs, from the first, in which pictures are mixed
    average           decay of the moving average of the weights, per step
    threads           CPU threads; part of the plan, since sums in another order round differently
    """

    stages: tuple[tuple[int, int], ...]
    batch: int = 32
    rate: float = 4e-4
    layer_rate: float = 2e-3
    weight_decay: float = 0.05
    smoothing: float = 0.1
    mixed_share: float = 0.6
    cutmix_share: float = 0.4
    mixup_share: float = 0.2
    average: float = 0.995
    seed: int = 1
    threads: int = 1

    @property
    def epochs(self) -> int:
        """How many there are in all."""
        return sum(epochs for _, epochs in self.stages)

    def side_px(self, epoch: int) -> int:
        """Return the side of the pictures in an epoch, 0 to epochs - 1."""
        for side, epochs in self.stages:
            if epoch < epochs:
                return side
            epoch -= epochs
        raise AssertionError("no such epoch")


FULL = Plan(((160, 18), (192, 12), (224, 8), (256, 4)))
TINY = Plan(((64, 2),), batch=4)


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What is learnt from.

    rgb       uint8 (n, side, side, 3)
    classes   (n,) numbers from 0 without a gap
    mirrored  (n,) whether a picture may be mirrored
    name      a hash of all that they were made of
    """

    rgb: np.ndarray
    classes: np.ndarray
    mirrored: np.ndarray
    name: str

    @property
    def class_count(self) -> int:
        """How many classes there are."""
        return int(self.classes.max()) + 1


@dataclass(slots=True, eq=False)
class Progress:
    """A run between two epochs.

    epoch      how many are done
    trained    key -> parameter, the backbone's and the layer's
    average    key -> moving average of the same
    optimizer  its state, or None before the first epoch
    losses     mean loss of each epoch that is done
    """

    epoch: int
    trained: State
    average: State
    optimizer: dict | None
    losses: list[float]


def run_name(plan: Plan, pictures: Pictures) -> str:
    """Return a short name that differs when anything differs that the result depends on."""
    return sha256(f"{RECIPE} {torch.__version__} {plan} {pictures.name}".encode())[:16]


def finetuned(plan: Plan, pictures: Pictures, work: Path, say: Callable[[str], None]) -> State:
    """Return the checkpoint with the trained weights in place of ImageNet's.

    work  folder that keeps the state of unfinished and finished runs; a finished one is only read
    say   is told each epoch in words
    """
    torch.set_num_threads(plan.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    path = work / f"run-{run_name(plan, pictures)}" / STATE_FILE
    fixed = {key: value.to(device) for key, value in imagenet_state().items()}
    progress = _loaded(path, device)
    if progress is None:
        say("placing the linear layer at the class means")
        progress = _started(plan, pictures, fixed)
    elif progress.epoch < plan.epochs:
        say(f"going on after epoch {progress.epoch} of {plan.epochs}")
    while progress.epoch < plan.epochs:
        started_s = time.monotonic()
        progress = _epoch(plan, pictures, fixed, progress)
        write_atomically(path, _packed(progress))
        took_s = time.monotonic() - started_s
        left_min = (plan.epochs - progress.epoch) * took_s / 60
        say(
            f"epoch {progress.epoch} of {plan.epochs} at {plan.side_px(progress.epoch - 1)} px: "
            f"loss {progress.losses[-1]:.3f}, {took_s:.0f} s, about {left_min:.0f} min to go"
        )
    trained = {key: progress.average[key].cpu() for key in lite0.trained_keys()}
    return {key: value.cpu() for key, value in fixed.items()} | trained


def chosen(pictures: Pictures, keep: np.ndarray, classes: np.ndarray) -> Pictures:
    """Return some of the pictures with other class numbers; keep (n,) marks them, classes has one number for each."""
    name = sha256(f"{pictures.name} {keep.tobytes().hex()} {classes.tolist()}".encode())
    return Pictures(pictures.rgb[keep], classes, pictures.mirrored[keep], name)


def imagenet_embeddings(plan: Plan, pictures: Pictures) -> np.ndarray:
    """Return the embeddings (n, 1280) of the pictures by the backbone as it was before any training, unit length."""
    torch.set_num_threads(plan.threads)
    parts = np.array_split(pictures.rgb, _batches(plan, pictures))
    state = imagenet_state()
    return functional.normalize(torch.cat([_plain(plan, state, part) for part in parts]), dim=1).numpy()


def rate_share(step: int, steps: int, warm_up: int) -> float:
    """Return the learning rate's share of its highest: up in a line, then down a cosine that ends at 0."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def _started(plan: Plan, pictures: Pictures, fixed: State) -> Progress:
    """Return the run before its first epoch: ImageNet's weights, and a layer that points at the class means.

    A layer at random would first drag the backbone to wherever it happens to point.
    """
    found = torch.cat([_plain(plan, fixed, batch) for batch in np.array_split(pictures.rgb, _batches(plan, pictures))])
    classes = torch.from_numpy(pictures.classes).to(found.device)
    centre = found.mean(0)
    means = torch.stack([found[classes == number].mean(0) for number in range(pictures.class_count)]) - centre
    weight = functional.normalize(means, dim=1) * LAYER_START
    trained = {key: fixed[key].clone() for key in lite0.trained_keys()}
    trained |= {LAYER_WEIGHT: weight, LAYER_BIAS: -(weight @ centre)}
    return Progress(0, trained, {key: value.clone() for key, value in trained.items()}, None, [])


def _plain(plan: Plan, fixed: State, rgb: np.ndarray) -> torch.Tensor:
    device = fixed["_conv_stem.weight"].device
    x = functional.interpolate(
        lite0.network_input(torch.from_numpy(rgb).to(device)), size=plan.side_px(0), mode="area"
    ).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        return lite0.embeddings(fixed, x)


def _batches(plan: Plan, pictures: Pictures) -> int:
    return max(1, len(pictures.classes) // plan.batch)


def _epoch(plan: Plan, pictures: Pictures, fixed: State, before: Progress) -> Progress:
    """Return the run after one more epoch."""
    draw = np.random.default_rng([plan.seed, before.epoch])
    torch.manual_seed(int(draw.integers(1 << 62)))  # for dropout
    trained = {key: value.clone().requires_grad_(True) for key, value in before.trained.items()}
    average = {key: value.clone() for key, value in before.average.items()}
    optimizer = _optimizer(plan, trained)
    if before.optimizer is not None:
        optimizer.load_state_dict(before.optimizer)
    order, count = draw.permutation(len(pictures.classes)), _batches(plan, pictures)
    total = 0.0
    for index in range(count):
        step = before.epoch * count + index
        share = rate_share(step, plan.epochs * count, count)
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * share
        batch = order[index * plan.batch : (index + 1) * plan.batch]
        loss = _loss(plan, pictures, fixed | trained, batch, before.epoch, draw)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), CLIP_NORM)
        optimizer.step()
        _follow(average, trained, min(plan.average, (step + 1) / (step + 10)))
        total += loss.item()
    weights = {key: value.detach() for key, value in trained.items()}
    return Progress(before.epoch + 1, weights, average, optimizer.state_dict(), [*before.losses, total / count])


def _optimizer(plan: Plan, trained: State) -> torch.optim.Optimizer:
    groups = []
    for highest, mine in ((plan.rate, lite0.trained_keys()), (plan.layer_rate, (LAYER_WEIGHT, LAYER_BIAS))):
        # Gains, offsets and the bias are not pulled to 0: there 0 is no simpler than anything else.
        for decays in (True, False):
            values = [trained[key] for key in mine if (trained[key].ndim > 1) == decays]
            decay = plan.weight_decay if decays else 0.0
            groups.append({"params": values, "lr": highest, "highest": highest, "weight_decay": decay})
    return torch.optim.AdamW(groups)


def _loss(
    plan: Plan, pictures: Pictures, state: State, batch: np.ndarray, epoch: int, draw: np.random.Generator
) -> torch.Tensor:
    device = state[LAYER_WEIGHT].device
    others = draw.integers(len(pictures.rgb), size=len(batch))
    side = plan.side_px(epoch)
    views = [
        seen_in_cart(pictures.rgb[i], Look(side, bool(pictures.mirrored[i]), pictures.rgb[j]), draw)
        for i, j in zip(batch, others, strict=True)
    ]
    mixed = epoch < plan.mixed_share * plan.epochs
    x = lite0.network_input(torch.from_numpy(np.stack(views)).to(device))
    targets = functional.one_hot(torch.from_numpy(pictures.classes[batch]).to(device), pictures.class_count).float()
    x, targets = _mixed(plan, x, targets, draw) if mixed else (x, targets)
    with torch.autocast(device.type, torch.bfloat16):
        found = lite0.embeddings(state, x, lite0.SKIPPED_SHARE)
    logits = functional.linear(functional.dropout(found, DROPOUT), state[LAYER_WEIGHT], state[LAYER_BIAS])
    return functional.cross_entropy(logits, targets, label_smoothing=plan.smoothing)


def _mixed(
    plan: Plan, x: torch.Tensor, targets: torch.Tensor, draw: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pictures and targets, perhaps each with a window (cutmix) or a veil (mixup) of another."""
    kind = draw.random()
    if kind >= plan.cutmix_share + plan.mixup_share:
        return x, targets
    partner = torch.from_numpy(draw.permutation(len(x))).to(x.device)
    if kind < plan.cutmix_share:
        side = x.shape[-1]
        window = round(side * math.sqrt(draw.uniform(0.0, 1.0)) * 0.9)
        top, left = draw.integers(0, side - window + 1, 2)
        kept = 1.0 - (window / side) ** 2
        x = x.clone()
        place = (..., slice(top, top + window), slice(left, left + window))
        x[place] = x[partner][place]
    else:
        kept = float(draw.beta(MIXUP_BETA, MIXUP_BETA))
        x = kept * x + (1.0 - kept) * x[partner]
    return x.contiguous(memory_format=torch.channels_last), kept * targets + (1.0 - kept) * targets[partner]


def _follow(average: State, trained: State, decay: float) -> None:
    with torch.no_grad():
        for key, value in trained.items():
            average[key].lerp_(value, 1.0 - decay)


def _packed(progress: Progress) -> bytes:
    content = io.BytesIO()
    torch.save({field.name: getattr(progress, field.name) for field in fields(progress)}, content)
    return content.getvalue()


def _loaded(path: Path, device: torch.device) -> Progress | None:
    if not path.exists():
        return None
    return Progress(**torch.load(path, map_location=device, weights_only=True))
