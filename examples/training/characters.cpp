// SPDX-License-Identifier: BSD-3-Clause
//
// The next character of English text from the 16 before it (Bengio et al., A neural probabilistic language model, JMLR
// 3, 2003, with characters for words): each is looked up in an embedding, and a perceptron takes all of them. Much to
// compute for each parameter.
#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>

#include "layers.hpp"

namespace training {
namespace {

constexpr std::size_t context = 16;
constexpr std::size_t dimensions = 16;  // of a character's embedding
constexpr std::size_t vocabulary = 96;  // printable ASCII and the end of a line; everything else is read as a space
constexpr std::size_t scored = 4096;    // positions of the held-out part, spread evenly over it
constexpr std::size_t scored_together = 256;
constexpr std::size_t inputs = context * dimensions;

std::uint8_t code_of(char character) {
  if (character == '\n') return vocabulary - 1;
  return character < ' ' || character > '~' ? 0 : static_cast<std::uint8_t>(character - ' ');
}

class Characters : public Workload {
 public:
  Characters(const std::string& text, std::size_t hidden)
      : network_({inputs, hidden, vocabulary}, vocabulary * dimensions), codes_(text.size()) {
    std::transform(text.begin(), text.end(), codes_.begin(), code_of);
    training_ = codes_.size() - codes_.size() / 5;
    if (codes_.size() / 5 <= context) throw std::runtime_error("fewer than 85 characters of text");
  }

  std::vector<Tensor> tensors() const override {
    std::vector<Tensor> all = network_.tensors();
    all.insert(all.begin(), {0, vocabulary * dimensions, true});
    return all;
  }
  std::size_t parameters() const override { return vocabulary * dimensions + network_.parameters(); }
  std::size_t training_samples() const override { return training_ - context; }
  std::size_t held_out_samples() const override { return std::min(scored, codes_.size() - training_ - context); }

  void initialise(std::span<float> parameters, std::uint64_t seed) const override {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    for (float& value : parameters.first(vocabulary * dimensions)) value = normal(random);
    network_.initialise(parameters, random);
  }

  double add_gradient(std::span<const float> parameters, std::span<const std::size_t> samples,
                      std::span<float> gradient) override {
    embed(parameters, samples);
    const Score score = network_.forward(parameters, inputs_, labels_);
    inputs_gradient_.resize(inputs_.size());
    network_.backward(parameters, inputs_, gradient, inputs_gradient_);
    for (std::size_t sample = 0; sample < samples.size(); ++sample) {
      for (std::size_t i = 0; i < inputs; ++i) {
        const std::size_t code = codes_[samples[sample] + i / dimensions];
        gradient[code * dimensions + i % dimensions] += inputs_gradient_[sample * inputs + i];
      }
    }
    return score.loss;
  }

  Score score(std::span<const float> parameters, std::size_t begin, std::size_t end) override {
    Score total;
    const std::size_t positions = codes_.size() - training_ - context;
    for (; begin < end; begin += scored_together) {
      std::vector<std::size_t> samples(std::min(scored_together, end - begin));
      for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = training_ + (begin + i) * positions / held_out_samples();
      embed(parameters, samples);
      const Score part = network_.forward(parameters, inputs_, labels_);
      total.loss += part.loss;
      total.correct += part.correct;
    }
    return total;
  }

 private:
  // A sample is the position where its context begins.
  void embed(std::span<const float> parameters, std::span<const std::size_t> samples) {
    inputs_.clear();
    labels_.clear();
    for (const std::size_t sample : samples) {
      for (std::size_t i = 0; i < context; ++i) {
        const auto embedding = parameters.subspan(codes_[sample + i] * dimensions, dimensions);
        inputs_.insert(inputs_.end(), embedding.begin(), embedding.end());
      }
      labels_.push_back(codes_[sample + context]);
    }
  }

  Perceptron network_;
  std::vector<std::uint8_t> codes_;
  std::size_t training_ = 0;
  std::vector<float> inputs_, inputs_gradient_;
  std::vector<std::size_t> labels_;
};

}  // namespace

std::unique_ptr<Workload> make_characters(const std::string& text, std::size_t size) {
  return std::make_unique<Characters>(text, size);
}

}  // namespace training
