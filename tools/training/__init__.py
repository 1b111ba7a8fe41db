"""How the classifier's files in `cart/models/` are made and measured; see `tools/train_classifier.py`.

photos    the data set: paths, labels, splits, folds
network   a convolutional network as plain arrays, without any framework
backbone  the layers of the checkpoint, folded into such a network
lite0     the same checkpoint as a network that can be trained
depthwise a gradient that is slow on a CPU, made fast (these three and finetune are the only users of torch)
augment   photos changed as a cart's camera would change them
finetune  the training run: epochs, checkpoints, going on after an interruption
apart     what a second backbone does without, to measure strangers and limits
reviewed  pictures that people have named, as further photos
tflite    such a network as an int8 TFLite file (the only user of flatbuffers)
reference the same int8 arithmetic in numpy, to check that file against
fitting   the head's parts: folds, sharpness, limits
unseen    all that is chosen, on photos that neither head nor backbone learnt; strangers and enrolment
card      the model card, written from the figures of `cart.vision.bench`, one definition for the bench and for training
report    the same with the misses as pictures
pipeline  the steps from photos to files
artifacts files written atomically, and their hashes
"""
