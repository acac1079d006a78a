// SPDX-License-Identifier: BSD-3-Clause
//
// Without loss: the plain sum, and the reproducible one. The latter takes every shard of the batch as a summand of its
// own, so the model does not depend on how many ranks share the shards.
#include "exchange.hpp"

namespace training {
namespace {

class Dense : public GradientExchange {
 public:
  explicit Dense(tutti::Communicator& world) : world_(world) {}
  void sum(std::vector<std::vector<float>>& gradients) override { world_.allreduce(gradients.front(), tutti::sum); }

 private:
  tutti::Communicator& world_;
};

class Reproducible : public GradientExchange {
 public:
  explicit Reproducible(tutti::Communicator& world) : world_(world) {}
  bool by_shard() const override { return true; }
  void sum(std::vector<std::vector<float>>& gradients) override {
    world_.reproducible_allreduce(gradients, gradients.front(), tutti::sum);
  }

 private:
  tutti::Communicator& world_;
};

}  // namespace

std::unique_ptr<GradientExchange> make_dense(tutti::Communicator& world) { return std::make_unique<Dense>(world); }
std::unique_ptr<GradientExchange> make_reproducible(tutti::Communicator& world) {
  return std::make_unique<Reproducible>(world);
}

}  // namespace training
