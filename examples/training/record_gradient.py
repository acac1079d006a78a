#!/usr/bin/env python3
"""Records a real gradient, as float32 in a .npy file, for `tutti-perf topk-allreduce --distribution FILE` and its siblings.

Usage: record_gradient.py FILE.npy [--steps 200] [--hidden 128]

A network of one hidden layer (64-128-10, ReLU, cross-entropy) learns the handwritten digits beside this folder by
stochastic gradient descent (batches of 64, rate 0.1, seed 1); the gradient of the step after --steps is kept, all layers
one after the other. Needs numpy.
"""
import argparse
import pathlib

import numpy

DIGITS = pathlib.Path(__file__).resolve().parent.parent / "data/digits.csv"


def gradient(weights, pixels, digits):
    """The mean gradient over a batch of each of the four arrays, in their order."""
    first, first_bias, second, second_bias = weights
    hidden = numpy.maximum(pixels @ first + first_bias, 0)
    scores = hidden @ second + second_bias
    chances = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    chances[numpy.arange(len(digits)), digits] -= 1
    chances /= len(digits)
    back = (chances @ second.T) * (hidden > 0)
    return pixels.T @ back, back.sum(axis=0), hidden.T @ chances, chances.sum(axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path, metavar="FILE.npy")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--hidden", type=int, default=128)
    arguments = parser.parse_args()
    table = numpy.loadtxt(DIGITS, delimiter=",", skiprows=1, dtype=numpy.float32)
    pixels, digits = table[:, :64] / 16, table[:, 64].astype(int)
    random = numpy.random.default_rng(1)
    weights = [random.normal(0, (2 / 64) ** 0.5, (64, arguments.hidden)), numpy.zeros(arguments.hidden),
               random.normal(0, (2 / arguments.hidden) ** 0.5, (arguments.hidden, 10)), numpy.zeros(10)]
    for step in range(arguments.steps + 1):
        batch = random.integers(0, len(digits), 64)
        parts = gradient(weights, pixels[batch], digits[batch])
        if step < arguments.steps:
            weights = [weight - 0.1 * part for weight, part in zip(weights, parts)]
    numpy.save(arguments.file, numpy.concatenate([part.ravel() for part in parts]).astype(numpy.float32))


if __name__ == "__main__":
    main()
