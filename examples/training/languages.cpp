// SPDX-License-Identifier: BSD-3-Clause
//
// The language of a line of text, by a linear model of its sequences of one to four bytes, each hashed to one of 2^size
// features (Weinberger et al., Feature hashing for large scale multitask learning, ICML 2009). The model is wide and
// the gradient of a batch touches few of its parameters, so there is next to nothing to compute and much to send.
#include <algorithm>
#include <map>
#include <stdexcept>
#include <string_view>

#include "layers.hpp"

namespace training {
namespace {

constexpr std::size_t longest_sequence = 4;

// Knuth's multiplicative hash: the sequence as a number times 2^64 / golden ratio, of which the top bits are taken.
std::size_t feature_of(std::uint64_t sequence, std::size_t bits) {
  return static_cast<std::size_t>((sequence * 0x9E3779B97F4A7C15U) >> (64 - bits));
}

class Languages : public Workload {
 public:
  // Lines of "language<tab>text". Parameters: the languages' weights of feature 0, of feature 1, ...
  Languages(std::string_view text, std::size_t bits) : bits_(bits) {
    if (bits == 0 || bits > 28) throw std::runtime_error("2^size features: size must be from 1 to 28");
    std::map<std::string, std::size_t, std::less<>> languages;
    for (std::size_t number = 1; !text.empty(); ++number) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      const std::size_t tab = line.find('\t');
      if (tab == 0 || tab == std::string_view::npos) {
        throw std::runtime_error("line " + std::to_string(number) + " is not as wanted: a language, a tab, a text");
      }
      labels_.push_back(languages.try_emplace(std::string(line.substr(0, tab)), languages.size()).first->second);
      add_features(line.substr(tab + 1));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (labels_.size() < 5) throw std::runtime_error("fewer than five lines");
    training_ = labels_.size() - labels_.size() / 5;
    classes_ = languages.size();
    logits_.resize(classes_);
  }

  std::vector<Tensor> tensors() const override { return {{0, parameters(), false}}; }
  std::size_t parameters() const override { return classes_ << bits_; }
  std::size_t training_samples() const override { return training_; }
  std::size_t held_out_samples() const override { return labels_.size() - training_; }

  // Nothing to break the symmetry of: a linear model may begin at zero, and the seed chooses the samples alone.
  void initialise(std::span<float> parameters, std::uint64_t) const override {
    std::fill(parameters.begin(), parameters.end(), 0.0F);
  }

  double add_gradient(std::span<const float> parameters, std::span<const std::size_t> samples,
                      std::span<float> gradient) override {
    double loss = 0;
    for (const std::size_t sample : samples) {
      loss += forward(parameters, sample).loss;
      const float scale = scale_of(sample);
      for (const std::uint32_t feature : features_of(sample)) {
        float* row = gradient.data() + feature * classes_;
        for (std::size_t label = 0; label < classes_; ++label) row[label] += scale * logits_[label];
      }
    }
    return loss;
  }

  Score score(std::span<const float> parameters, std::size_t begin, std::size_t end) override {
    Score total;
    for (; begin < end; ++begin) {
      const Score one = forward(parameters, training_ + begin);
      total.loss += one.loss;
      total.correct += one.correct;
    }
    return total;
  }

 private:
  void add_features(std::string_view line) {
    for (std::size_t begin = 0; begin < line.size(); ++begin) {
      std::uint64_t sequence = 1;  // tells sequences of different lengths apart
      for (std::size_t i = begin; i < std::min(begin + longest_sequence, line.size()); ++i) {
        sequence = sequence << 8 | static_cast<unsigned char>(line[i]);
        features_.push_back(static_cast<std::uint32_t>(feature_of(sequence, bits_)));
      }
    }
    ends_.push_back(features_.size());
  }
  std::span<const std::uint32_t> features_of(std::size_t sample) const {
    const std::size_t begin = sample == 0 ? 0 : ends_[sample - 1];
    return std::span(features_).subspan(begin, ends_[sample] - begin);
  }
  // Long lines weigh no more than short ones.
  float scale_of(std::size_t sample) const {
    return 1 / static_cast<float>(std::max<std::size_t>(features_of(sample).size(), 1));
  }
  // Leaves the gradients of the logits in logits_.
  Score forward(std::span<const float> parameters, std::size_t sample) {
    std::fill(logits_.begin(), logits_.end(), 0.0F);
    for (const std::uint32_t feature : features_of(sample)) {
      const float* row = parameters.data() + feature * classes_;
      for (std::size_t label = 0; label < classes_; ++label) logits_[label] += row[label];
    }
    const float scale = scale_of(sample);
    for (float& logit : logits_) logit *= scale;
    return softmax_loss(logits_, labels_[sample]);
  }

  std::size_t bits_;
  std::size_t classes_ = 0;
  std::size_t training_ = 0;
  std::vector<std::size_t> labels_;
  std::vector<std::uint32_t> features_;  // of all lines
  std::vector<std::size_t> ends_;        // of each line, in features_
  std::vector<float> logits_;
};

}  // namespace

std::unique_ptr<Workload> make_languages(const std::string& text, std::size_t size) {
  return std::make_unique<Languages>(text, size);
}

}  // namespace training
