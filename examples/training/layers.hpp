// SPDX-License-Identifier: BSD-3-Clause
//
// A perceptron: dense layers with rectifiers between them and a softmax at the end, for a batch of samples at a time.
#pragma once

#include <cstddef>
#include <random>
#include <span>
#include <vector>

#include "workload.hpp"

namespace training {

// Softmax and cross-entropy of one sample: turns its logits into the gradient of its loss, and says whether the largest
// logit was the label's.
Score softmax_loss(std::span<float> logits, std::size_t label);

class Perceptron {
 public:
  // sizes: of the input, of each layer, of the output. Its parameters begin at `first` of the flat vector, for each
  // layer weights (one row for each input), then biases.
  Perceptron(std::vector<std::size_t> sizes, std::size_t first);

  std::size_t parameters() const { return parameters_; }
  std::vector<Tensor> tensors() const;
  // Normal weights of variance 2 / inputs (He et al., 2015), biases zero.
  void initialise(std::span<float> parameters, std::mt19937_64& random) const;

  // `inputs`: a row for each label. Leaves in `outputs()` the gradients of the logits.
  Score forward(std::span<const float> parameters, std::span<const float> inputs, std::span<const std::size_t> labels);
  // After forward, with the same arguments: adds the gradient of the parameters, and writes that of the inputs unless
  // `inputs_gradient` is empty.
  void backward(std::span<const float> parameters, std::span<const float> inputs, std::span<float> gradient,
                std::span<float> inputs_gradient);

 private:
  struct Layer {
    std::size_t inputs;
    std::size_t outputs;
    std::size_t weights;  // where they begin in the flat vector
    std::size_t biases;
  };

  std::vector<Layer> layers_;
  std::size_t parameters_ = 0;
  std::size_t batch_ = 0;
  std::vector<std::vector<float>> values_;  // of each layer, behind its rectifier; of the last its logits' gradients
  std::vector<float> above_, below_;        // gradients on their way down
};

}  // namespace training
