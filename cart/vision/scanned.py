"""Does what the camera saw agree with the code that was scanned? Several frames of one thing are judged together.

Frames of one pass err together: the same side, light and hand. So the evidence of all of them is their mean, worth at
most LOOKS_MAX looks, as in `cart.vision.track`, which pools the same way what the daemon is told. Limits are those of a
single photo: more frames make a true label surer, so they raise fewer false alarms than the model card says.
"""

import numpy as np

from cart.vision.classify import UNSURE, Agreement, Head, agreement_millinats, log_priors, verdict
from cart.vision.track import LOOKS_MAX


def agreement(head: Head, embeddings: np.ndarray, label: str) -> Agreement:
    """Return how frames of one thing fit the label of the scanned product.

    embeddings  (frames, n) as from the network, at least one
    label       of the product; one that the head does not know is neither borne out nor contradicted
    """
    if label not in head.labels:
        return Agreement(0, UNSURE)
    together = pooled(head.log_posteriors(embeddings), head.calibration.none_prior)
    value = int(agreement_millinats(together[None, :-1])[0, head.labels.index(label)])
    return Agreement(value, verdict(value, head.calibration))


def pooled(log_posteriors: np.ndarray, none_prior: float) -> np.ndarray:
    """Return ln P per label and, last, for none of all frames together, (labels + 1,), of (frames, labels + 1)."""
    frames, columns = log_posteriors.shape
    assert frames > 0
    priors = log_priors(columns - 1, none_prior)
    evidence = (log_posteriors - priors).mean(axis=0) * min(frames, LOOKS_MAX)
    together = priors + evidence
    return together - np.logaddexp.reduce(together)
