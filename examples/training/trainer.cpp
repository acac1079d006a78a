// SPDX-License-Identifier: BSD-3-Clause
#include "trainer.hpp"

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string_view>

namespace training {

Trainer::Trainer(tutti::Communicator& world, Workload& workload, GradientExchange& exchange, const Recipe& recipe,
                 Meter& meter)
    : world_(world),
      workload_(workload),
      exchange_(exchange),
      recipe_(recipe),
      meter_(meter),
      parameters_(workload.parameters()),
      velocity_(workload.parameters()) {
  const auto rank = static_cast<std::size_t>(world.rank());
  const auto ranks = static_cast<std::size_t>(world.size());
  if (recipe.shards < ranks) {
    throw std::runtime_error(std::to_string(recipe.shards) + " shards cannot be shared by " + std::to_string(ranks) +
                             " ranks: at least one for each is wanted");
  }
  const std::size_t shards = (recipe.shards - rank + ranks - 1) / ranks;
  gradients_.resize(exchange.by_shard() ? shards : 1, std::vector<float>(parameters_.size()));
  workload.initialise(parameters_, recipe.seed);
}

std::vector<std::size_t> Trainer::samples_of(std::size_t iteration, std::size_t shard) const {
  std::seed_seq seeds{static_cast<std::size_t>(recipe_.seed), iteration, shard};
  std::mt19937 random(seeds);
  std::uniform_int_distribution<std::size_t> any(0, workload_.training_samples() - 1);
  std::vector<std::size_t> samples(recipe_.shard_samples);
  for (std::size_t& sample : samples) sample = any(random);
  return samples;
}

void Trainer::compute_gradients(std::size_t iteration) {
  for (auto& gradient : gradients_) std::fill(gradient.begin(), gradient.end(), 0.0F);
  const auto ranks = static_cast<std::size_t>(world_.size());
  std::size_t own = 0;
  for (auto shard = static_cast<std::size_t>(world_.rank()); shard < recipe_.shards; shard += ranks, ++own) {
    auto& gradient = gradients_[exchange_.by_shard() ? own : 0];
    workload_.add_gradient(parameters_, samples_of(iteration, shard), gradient);
  }
}

void Trainer::step() {
  const auto rate =
      static_cast<float>(recipe_.learning_rate / static_cast<double>(recipe_.shards * recipe_.shard_samples));
  const auto momentum = static_cast<float>(recipe_.momentum);
  const float* gradient = gradients_.front().data();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    velocity_[i] = momentum * velocity_[i] + gradient[i];
    parameters_[i] -= rate * velocity_[i];
  }
}

Point Trainer::look(std::size_t iteration) {
  world_.barrier();  // a rank that lags behind is part of the time
  meter_.stop();
  const auto rank = static_cast<std::size_t>(world_.rank());
  const auto ranks = static_cast<std::size_t>(world_.size());
  const std::size_t samples = workload_.held_out_samples();
  const Score part = workload_.score(parameters_, samples * rank / ranks, samples * (rank + 1) / ranks);
  Point point{};
  point.iteration = iteration;
  point.seconds = meter_.seconds();
  point.compute_seconds = compute_.seconds();
  point.exchange_seconds = communicate_.seconds();
  point.sent_bytes = world_.allreduce(meter_.sent_bytes(), tutti::sum);
  point.loss = world_.allreduce(part.loss, tutti::sum) / static_cast<double>(samples);
  point.accuracy = static_cast<double>(world_.allreduce(part.correct, tutti::sum)) / static_cast<double>(samples);
  world_.barrier();
  meter_.start();
  return point;
}

Outcome Trainer::run(const std::function<void(const Point&)>& report) {
  Outcome outcome;
  for (std::size_t iteration = 0;; ++iteration) {
    if (iteration % recipe_.score_every == 0 || iteration == recipe_.iterations) {
      outcome.points.push_back(look(iteration));
      if (world_.rank() == 0) report(outcome.points.back());
      if (iteration == recipe_.iterations || outcome.points.back().accuracy >= recipe_.until) break;
    }
    compute_.start();
    compute_gradients(iteration);
    compute_.stop();
    communicate_.start();
    exchange_.sum(gradients_);
    communicate_.stop();
    step();
  }
  const std::string_view bits(reinterpret_cast<const char*>(parameters_.data()), parameters_.size() * sizeof(float));
  outcome.model_hash = std::hash<std::string_view>{}(bits);
  outcome.same_everywhere =
      world_.allreduce(outcome.model_hash, tutti::min) == world_.allreduce(outcome.model_hash, tutti::max);
  return outcome;
}

}  // namespace training
