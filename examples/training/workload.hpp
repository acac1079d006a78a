// SPDX-License-Identifier: BSD-3-Clause
//
// What is trained: a model with its data, as the trainer sees it. Parameters and gradients are one flat vector each, so
// that a step is one collective; tensors say which part of it is what.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace training {

// Consecutive parameters. Sensitive ones are few and lose much by coarse quantisation: biases, embeddings, and the last
// layer, whose gradient is the error itself.
struct Tensor {
  std::size_t first;
  std::size_t count;
  bool sensitive;
};

// Sums over samples.
struct Score {
  double loss = 0;  // cross-entropy, in nats
  std::int64_t correct = 0;
};

class Workload {
 public:
  virtual ~Workload() = default;

  virtual std::vector<Tensor> tensors() const = 0;
  virtual std::size_t parameters() const = 0;
  virtual std::size_t training_samples() const = 0;
  virtual std::size_t held_out_samples() const = 0;

  // The same parameters on every rank, since they are made from the seed alone.
  virtual void initialise(std::span<float> parameters, std::uint64_t seed) const = 0;
  // Adds the gradient of the samples' summed loss, and returns that loss.
  virtual double add_gradient(std::span<const float> parameters, std::span<const std::size_t> samples,
                              std::span<float> gradient) = 0;
  // Of the held-out samples [begin, end).
  virtual Score score(std::span<const float> parameters, std::size_t begin, std::size_t end) = 0;
};

// Each takes the text of a data file (prepare.py makes them; digits.csv is in examples/data) and holds out the last
// fifth of it. `size` is what the model's size depends on. Throws std::runtime_error for text of another form.

// A perceptron with two hidden layers of `size` neurons.
std::unique_ptr<Workload> make_digits(const std::string& text, std::size_t size);
// The next character after 16, by an embedding and a hidden layer of `size` neurons (Bengio et al., 2003).
std::unique_ptr<Workload> make_characters(const std::string& text, std::size_t size);
// The language of a line, by a linear model of its hashed letter sequences: 2^size features a language.
std::unique_ptr<Workload> make_languages(const std::string& text, std::size_t size);

}  // namespace training
