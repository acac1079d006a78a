// SPDX-License-Identifier: BSD-3-Clause
//
// Handwritten digits: 1,797 images of 8 x 8 (data/digits.md) and a perceptron far wider than they need. That is the
// case where most is left to win: many parameters, little to compute for each.
#include <charconv>
#include <numeric>
#include <stdexcept>
#include <string_view>

#include "layers.hpp"

namespace training {
namespace {

constexpr std::size_t pixels = 64;
constexpr float largest_pixel = 16;
constexpr std::size_t classes = 10;
constexpr std::size_t scored_together = 128;

// Rows of 64 pixels and the digit, under one line of titles.
void read_images(std::string_view text, std::vector<float>& images, std::vector<std::size_t>& labels) {
  text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  for (std::size_t line = 2; !text.empty(); ++line) {
    for (std::size_t column = 0; column <= pixels; ++column) {
      unsigned value = 0;
      const char* end = text.data() + text.size();
      const auto [rest, error] = std::from_chars(text.data(), end, value);
      const bool last = column == pixels;
      const bool fits = error == std::errc{} && (last ? value < classes : static_cast<float>(value) <= largest_pixel);
      if (!fits || rest == end || *rest != (last ? '\n' : ',')) {
        throw std::runtime_error("line " + std::to_string(line) + ", column " + std::to_string(column + 1) +
                                 " is not as wanted: 64 pixels from 0 to 16 and a digit, separated by commas");
      }
      text.remove_prefix(static_cast<std::size_t>(rest - text.data()) + 1);
      if (last) {
        labels.push_back(value);
      } else {
        images.push_back(static_cast<float>(value) / largest_pixel);
      }
    }
  }
}

class Digits : public Workload {
 public:
  Digits(const std::string& text, std::size_t hidden) : network_({pixels, hidden, hidden, classes}, 0) {
    if (text.empty()) throw std::runtime_error("the file is empty");
    read_images(text, images_, labels_);
    if (labels_.size() < 5) throw std::runtime_error("fewer than five images");
    training_ = labels_.size() - labels_.size() / 5;
  }

  std::vector<Tensor> tensors() const override { return network_.tensors(); }
  std::size_t parameters() const override { return network_.parameters(); }
  std::size_t training_samples() const override { return training_; }
  std::size_t held_out_samples() const override { return labels_.size() - training_; }

  void initialise(std::span<float> parameters, std::uint64_t seed) const override {
    std::mt19937_64 random(seed);
    network_.initialise(parameters, random);
  }

  double add_gradient(std::span<const float> parameters, std::span<const std::size_t> samples,
                      std::span<float> gradient) override {
    gather(samples);
    const Score score = network_.forward(parameters, inputs_, batch_labels_);
    network_.backward(parameters, inputs_, gradient, {});
    return score.loss;
  }

  Score score(std::span<const float> parameters, std::size_t begin, std::size_t end) override {
    Score total;
    for (; begin < end; begin += scored_together) {
      std::vector<std::size_t> samples(std::min(scored_together, end - begin));
      std::iota(samples.begin(), samples.end(), training_ + begin);
      gather(samples);
      const Score part = network_.forward(parameters, inputs_, batch_labels_);
      total.loss += part.loss;
      total.correct += part.correct;
    }
    return total;
  }

 private:
  void gather(std::span<const std::size_t> samples) {
    inputs_.clear();
    batch_labels_.clear();
    for (const std::size_t sample : samples) {
      const auto image = std::span(images_).subspan(sample * pixels, pixels);
      inputs_.insert(inputs_.end(), image.begin(), image.end());
      batch_labels_.push_back(labels_[sample]);
    }
  }

  Perceptron network_;
  std::vector<float> images_;
  std::vector<std::size_t> labels_;
  std::size_t training_ = 0;
  std::vector<float> inputs_;
  std::vector<std::size_t> batch_labels_;
};

}  // namespace

std::unique_ptr<Workload> make_digits(const std::string& text, std::size_t size) {
  return std::make_unique<Digits>(text, size);
}

}  // namespace training
