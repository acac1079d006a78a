// SPDX-License-Identifier: BSD-3-Clause
//
// Sparse: the largest elements (Aji and Heafield, 2017; with error feedback Stich et al., 2018, and Karimireddy et al.,
// 2019), or all that are not zero. Sparse sums are called by the C interface.
#include "exchange.hpp"

namespace training {
namespace {

void check(int result) {
  if (result != TUTTI_OK) throw tutti::Failure(static_cast<tutti_result>(result), tutti_error_message(nullptr));
}

class TopK : public GradientExchange {
 public:
  TopK(tutti::Communicator& world, tutti_meaning meaning, bool feedback, double density)
      : world_(world), feedback_(feedback) {
    select_.density = density;
    select_.meaning = meaning;
  }

  void sum(std::vector<std::vector<float>>& gradients) override {
    auto& gradient = gradients.front();
    if (feedback_) residual_.resize(gradient.size());
    check(tutti_topk_allreduce(gradient.data(), gradient.size(), TUTTI_FLOAT32, &select_,
                               feedback_ ? residual_.data() : nullptr, gradient.data(), nullptr, nullptr,
                               world_.get()));
  }

 private:
  tutti::Communicator& world_;
  bool feedback_;
  tutti_topk select_{};
  std::vector<float> residual_;
};

class NonZero : public GradientExchange {
 public:
  explicit NonZero(tutti::Communicator& world) : world_(world) {}

  void sum(std::vector<std::vector<float>>& gradients) override {
    auto& gradient = gradients.front();
    indices_.clear();
    values_.clear();
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      if (gradient[i] == 0) continue;
      indices_.push_back(static_cast<std::uint32_t>(i));
      values_.push_back(gradient[i]);
    }
    const tutti_pairs pairs{indices_.data(), values_.data(), indices_.size(), indices_.size()};
    check(tutti_sparse_allreduce(&pairs, gradient.size(), TUTTI_FLOAT32, 0, gradient.data(), nullptr, nullptr,
                                 world_.get()));
  }

 private:
  tutti::Communicator& world_;
  std::vector<std::uint32_t> indices_;
  std::vector<float> values_;
};

}  // namespace

std::unique_ptr<GradientExchange> make_topk(tutti::Communicator& world, tutti_meaning meaning, bool feedback,
                                            double density) {
  return std::make_unique<TopK>(world, meaning, feedback, density);
}
std::unique_ptr<GradientExchange> make_sparse(tutti::Communicator& world) { return std::make_unique<NonZero>(world); }

}  // namespace training
