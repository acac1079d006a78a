// SPDX-License-Identifier: BSD-3-Clause
//
// How the ranks' gradients become their sum: the seam between the trainer and Tutti. One small class for each way.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tutti/tutti.hpp>
#include <vector>

#include "workload.hpp"

namespace training {

class GradientExchange {
 public:
  virtual ~GradientExchange() = default;
  // Whether it wants a vector for each of this rank's shards of the batch, rather than their sum in one.
  virtual bool by_shard() const { return false; }
  // Leaves in the first vector the sum of all ranks' vectors. What the others then hold is undefined.
  virtual void sum(std::vector<std::vector<float>>& gradients) = 0;
};

struct ExchangeSettings {
  std::string_view method;      // one of those of exchange_methods()
  double density = 0;           // what top-k sends of the parameters, as a share
  std::uint64_t seed = 0;       // of stochastic rounding
  std::vector<Tensor> tensors;  // of the model: mixed wires keep 16 bits for the sensitive ones
};

// Each method with a line that says what it is.
std::vector<std::pair<std::string, std::string>> exchange_methods();
// Throws std::runtime_error for another method.
std::unique_ptr<GradientExchange> make_exchange(tutti::Communicator& world, const ExchangeSettings& settings);

// The files that follow each make those of their kind.
std::unique_ptr<GradientExchange> make_dense(tutti::Communicator& world);
std::unique_ptr<GradientExchange> make_reproducible(tutti::Communicator& world);
std::unique_ptr<GradientExchange> make_quantised(tutti::Communicator& world, tutti_wire wire, bool stochastic,
                                                 bool mixed, const ExchangeSettings& settings);
std::unique_ptr<GradientExchange> make_topk(tutti::Communicator& world, tutti_meaning meaning, bool feedback,
                                            double density);
std::unique_ptr<GradientExchange> make_sparse(tutti::Communicator& world);

}  // namespace training
