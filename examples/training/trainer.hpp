// SPDX-License-Identifier: BSD-3-Clause
//
// Data-parallel stochastic gradient descent with momentum. A batch consists of shards, each with samples of its own
// that depend on the seed, the iteration and the shard alone; rank r of p computes shards r, r + p, ... So what is
// learned does not depend on the number of ranks, but for the rounding of sums.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <tutti/tutti.hpp>
#include <vector>

#include "exchange.hpp"
#include "meter.hpp"
#include "workload.hpp"

namespace training {

struct Recipe {
  std::size_t size = 0;     // of the model, see workload.hpp
  std::size_t shards = 12;  // of a batch; at least as many as ranks
  std::size_t shard_samples = 0;
  double learning_rate = 0;
  double momentum = 0;
  std::size_t iterations = 0;
  std::size_t score_every = 0;  // iterations from one look at the held-out samples to the next
  double until = 2;             // ends at this held-out accuracy; no accuracy is above 1
  std::uint64_t seed = 1;
};

// The state after some iterations.
struct Point {
  std::size_t iteration;
  double seconds;            // since the beginning, reading the data included
  double compute_seconds;    // of them, for gradients
  double exchange_seconds;   // of them, for their sums: also waiting for ranks that still compute
  std::uint64_t sent_bytes;  // by all ranks, where each has a host of its own
  double loss;               // mean over the held-out samples
  double accuracy;
};

struct Outcome {
  std::vector<Point> points;
  bool same_everywhere = false;  // whether all ranks hold the same bits
  std::size_t model_hash = 0;    // of these bits
};

class Trainer {
 public:
  // `meter` has been started. Throws std::runtime_error for a recipe with fewer shards than ranks.
  Trainer(tutti::Communicator& world, Workload& workload, GradientExchange& exchange, const Recipe& recipe,
          Meter& meter);

  // Calls `report` for each point on rank 0.
  Outcome run(const std::function<void(const Point&)>& report);

 private:
  void compute_gradients(std::size_t iteration);
  void step();
  Point look(std::size_t iteration);
  std::vector<std::size_t> samples_of(std::size_t iteration, std::size_t shard) const;

  tutti::Communicator& world_;
  Workload& workload_;
  GradientExchange& exchange_;
  Recipe recipe_;
  Meter& meter_;
  Stopwatch compute_, communicate_;
  std::vector<float> parameters_, velocity_;
  std::vector<std::vector<float>> gradients_;
};

}  // namespace training
