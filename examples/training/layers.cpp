// SPDX-License-Identifier: BSD-3-Clause
#include "layers.hpp"

#include <algorithm>
#include <cmath>

#include "matrices.hpp"

namespace training {

Score softmax_loss(std::span<float> logits, std::size_t label) {
  const auto largest = std::max_element(logits.begin(), logits.end());
  const float top = *largest;
  Score score;
  score.correct = static_cast<std::size_t>(largest - logits.begin()) == label ? 1 : 0;
  const float shifted = logits[label] - top;
  float total = 0;
  for (float& logit : logits) {
    logit = std::exp(logit - top);
    total += logit;
  }
  score.loss = std::log(static_cast<double>(total)) - static_cast<double>(shifted);
  for (float& logit : logits) logit /= total;
  logits[label] -= 1;
  return score;
}

Perceptron::Perceptron(std::vector<std::size_t> sizes, std::size_t first) {
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const std::size_t weights = first + parameters_;
    layers_.push_back({sizes[i], sizes[i + 1], weights, weights + sizes[i] * sizes[i + 1]});
    parameters_ += (sizes[i] + 1) * sizes[i + 1];
  }
  values_.resize(layers_.size());
}

std::vector<Tensor> Perceptron::tensors() const {
  std::vector<Tensor> all;
  for (const Layer& layer : layers_) {
    const bool last = &layer == &layers_.back();
    all.push_back({layer.weights, layer.inputs * layer.outputs, last});
    all.push_back({layer.biases, layer.outputs, true});
  }
  return all;
}

void Perceptron::initialise(std::span<float> parameters, std::mt19937_64& random) const {
  for (const Layer& layer : layers_) {
    std::normal_distribution<float> normal(0, std::sqrt(2 / static_cast<float>(layer.inputs)));
    for (float& weight : parameters.subspan(layer.weights, layer.inputs * layer.outputs)) weight = normal(random);
    for (float& bias : parameters.subspan(layer.biases, layer.outputs)) bias = 0;
  }
}

Score Perceptron::forward(std::span<const float> parameters, std::span<const float> inputs,
                          std::span<const std::size_t> labels) {
  batch_ = labels.size();
  const float* below = inputs.data();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    auto& values = values_[i];
    values.resize(batch_ * layer.outputs);
    const auto biases = parameters.subspan(layer.biases, layer.outputs);
    for (std::size_t sample = 0; sample < batch_; ++sample)
      std::copy(biases.begin(), biases.end(), values.data() + sample * layer.outputs);
    add_product(below, parameters.data() + layer.weights, values.data(), batch_, layer.inputs, layer.outputs);
    if (i + 1 < layers_.size())
      for (float& value : values) value = std::max(value, 0.0F);
    below = values.data();
  }
  Score score;
  const std::size_t classes = layers_.back().outputs;
  for (std::size_t sample = 0; sample < batch_; ++sample) {
    const Score one = softmax_loss(std::span(values_.back()).subspan(sample * classes, classes), labels[sample]);
    score.loss += one.loss;
    score.correct += one.correct;
  }
  return score;
}

void Perceptron::backward(std::span<const float> parameters, std::span<const float> inputs, std::span<float> gradient,
                          std::span<float> inputs_gradient) {
  above_.assign(values_.back().begin(), values_.back().end());
  for (std::size_t i = layers_.size(); i-- > 0;) {
    const Layer& layer = layers_[i];
    const float* below = i == 0 ? inputs.data() : values_[i - 1].data();
    add_product_of_transposed(below, above_.data(), gradient.data() + layer.weights, layer.inputs, batch_,
                              layer.outputs);
    float* biases = gradient.data() + layer.biases;
    for (std::size_t sample = 0; sample < batch_; ++sample)
      for (std::size_t output = 0; output < layer.outputs; ++output)
        biases[output] += above_[sample * layer.outputs + output];
    if (i == 0) break;
    below_.resize(batch_ * layer.inputs);
    product_with_transposed(above_.data(), parameters.data() + layer.weights, below_.data(), batch_, layer.outputs,
                            layer.inputs);
    for (std::size_t j = 0; j < below_.size(); ++j) below_[j] = below[j] > 0 ? below_[j] : 0;
    above_.swap(below_);
  }
  if (inputs_gradient.empty()) return;
  const Layer& first = layers_.front();
  product_with_transposed(above_.data(), parameters.data() + first.weights, inputs_gradient.data(), batch_,
                          first.outputs, first.inputs);
}

}  // namespace training
