"""The rows of `cart.faults` about the classifier's model and products that are enrolled in it."""

from cart.fault_text import EXIT_CONFIGURATION, EXIT_USAGE, FaultText

# Sorted by code.
CLASSIFIER_FAULTS: dict[str, FaultText] = {
    "ENROLL-DUPLICATE": FaultText(
        "the camera cannot tell this product from one that it knows",
        ("it is that product, or was enrolled under another name", "the two packages differ by fine print alone"),
        "take photos that show what differs; or, where it is another product: cart catalog enroll --although LABEL",
    ),
    "ENROLL-LABEL": FaultText(
        "the label does not allow this",
        (
            "the product is enrolled already: cart catalog unenroll first",
            "the product's label column in the catalogue is empty",
            "it was never enrolled",
        ),
        "cart catalog enrolled",
        EXIT_USAGE,
    ),
    "ENROLL-PHOTOS": FaultText(
        "there are too few photos that the product can be learnt from",
        ("some are dark, blurred, small or alike: each is named above", "the folder is another one"),
        "take at least ten, each from another side, filling half of the picture; then again",
    ),
    "ENROLL-PRODUCT": FaultText(
        "the catalogue has no such product",
        ("a typing error", "the catalogue in use is another one: [catalog] path"),
        "cart catalog show",
        EXIT_USAGE,
    ),
    "MODEL-HASH": FaultText(
        "a model file is damaged, or not the one its manifest names",
        ("an interrupted update", "an enrolled model that was made before an update", "a file was replaced by hand"),
        'point [classifier] model_dir at the package\'s model (""); if that is it: install the package again',
        EXIT_CONFIGURATION,
    ),
    "MODEL-MISSING": FaultText(
        "a file of the classifier is missing or cannot be read",
        ("wrong [classifier] model_dir", "the package was installed without its data"),
        "cart doctor",
        EXIT_CONFIGURATION,
    ),
    "MODEL-RUNTIME-MISSING": FaultText(
        "there is no TFLite runtime to run the classifier with",
        ("no wheel for this processor and Python (none for 32 bits)", "the package was installed without dependencies"),
        "pip install ai-edge-litert (tflite-runtime on a Raspberry Pi with Python 3.11), then: cart doctor",
        EXIT_CONFIGURATION,
    ),
    "MODEL-SHAPE": FaultText(
        "the network takes pictures of another size than this version gives it",
        ("an enrolled model that was made before an update", "a model made for another version"),
        'point [classifier] model_dir at the package\'s model (""), then: cart catalog enroll --from package',
        EXIT_CONFIGURATION,
    ),
    "MODEL-STATISTICS": FaultText(
        "the model lacks what a product is enrolled with",
        ("a model made by an older version", "its statistics.npz is damaged"),
        "install the package again, then: cart catalog enroll --from package",
        EXIT_CONFIGURATION,
    ),
    "MODEL-STORE": FaultText(
        "the folder of enrolled models cannot be used",
        ("it belongs to another user", "the disk is full or read-only"),
        "mend what the line names, then again; the model in use stays as it is",
        EXIT_CONFIGURATION,
    ),
    "MODEL-VERSION": FaultText(
        "there is no such version of the model",
        ("a typing error", "it was made before the last five, which alone are kept"),
        "cart catalog enrolled",
        EXIT_USAGE,
    ),
}
