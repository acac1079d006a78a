// SPDX-License-Identifier: BSD-3-Clause
//
// In few bits: uniform, or with 16 bits for the tensors that need them.
#include "exchange.hpp"

namespace training {
namespace {

class Quantised : public GradientExchange {
 public:
  Quantised(tutti::Communicator& world, tutti_wire wire, bool stochastic, bool mixed, const ExchangeSettings& settings)
      : world_(world) {
    how_.wire = wire;
    how_.stochastic = stochastic ? 1 : 0;
    how_.seed = settings.seed;
    for (const Tensor& tensor : settings.tensors)
      if (mixed && tensor.sensitive) segments_.push_back({tensor.first, tensor.count, TUTTI_WIRE_BFLOAT16});
    how_.segments = segments_.data();
    how_.segment_count = segments_.size();
  }

  void sum(std::vector<std::vector<float>>& gradients) override {
    ++how_.seed;  // other random numbers in every call, or rounding would err to the same side each time
    world_.quantised_allreduce(gradients.front(), gradients.front(), tutti::sum, how_);
  }

 private:
  tutti::Communicator& world_;
  std::vector<tutti_segment> segments_;
  tutti_quantisation how_{};
};

}  // namespace

std::unique_ptr<GradientExchange> make_quantised(tutti::Communicator& world, tutti_wire wire, bool stochastic,
                                                 bool mixed, const ExchangeSettings& settings) {
  return std::make_unique<Quantised>(world, wire, stochastic, mixed, settings);
}

}  // namespace training
