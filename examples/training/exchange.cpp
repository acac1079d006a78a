// SPDX-License-Identifier: BSD-3-Clause
#include "exchange.hpp"

#include <functional>
#include <stdexcept>

namespace training {
namespace {

class Nothing : public GradientExchange {
 public:
  void sum(std::vector<std::vector<float>>&) override {}
};

struct Method {
  std::string name;
  std::string meaning;
  std::function<std::unique_ptr<GradientExchange>(tutti::Communicator&, const ExchangeSettings&)> make;
};

Method quantised(std::string name, std::string meaning, tutti_wire wire, bool stochastic, bool mixed = false) {
  return {std::move(name), std::move(meaning),
          [=](auto& world, auto& settings) { return make_quantised(world, wire, stochastic, mixed, settings); }};
}

Method topk(std::string name, std::string explanation, tutti_meaning meaning, bool feedback) {
  return {std::move(name), std::move(explanation),
          [=](auto& world, auto& settings) { return make_topk(world, meaning, feedback, settings.density); }};
}

std::vector<Method> methods() {
  return {
      {"dense", "float32, as it is", [](auto& world, auto&) { return make_dense(world); }},
      {"reproducible", "float32, with bits that no number of ranks changes",
       [](auto& world, auto&) { return make_reproducible(world); }},
      quantised("bf16", "bfloat16 on the wire, sums in float32", TUTTI_WIRE_BFLOAT16, false),
      quantised("int8", "8 bits, to nearest", TUTTI_WIRE_INT8, false),
      quantised("int4", "4 bits, stochastic rounding", TUTTI_WIRE_INT4, true),
      quantised("mixed", "4 bits, stochastic rounding, but bfloat16 for sensitive tensors", TUTTI_WIRE_INT4, true,
                true),
      topk("topk", "the largest of each rank, with error feedback", TUTTI_UNION, true),
      topk("topk-plain", "the largest of each rank; the rest is lost", TUTTI_UNION, false),
      topk("topk-global", "the largest of the sum, with error feedback", TUTTI_GLOBAL, true),
      {"sparse", "what is not zero, without loss", [](auto& world, auto&) { return make_sparse(world); }},
      {"none", "nothing is exchanged: the time of everything else",
       [](auto&, auto&) { return std::make_unique<Nothing>(); }},
  };
}

}  // namespace

std::vector<std::pair<std::string, std::string>> exchange_methods() {
  std::vector<std::pair<std::string, std::string>> all;
  for (const Method& method : methods()) all.emplace_back(method.name, method.meaning);
  return all;
}

std::unique_ptr<GradientExchange> make_exchange(tutti::Communicator& world, const ExchangeSettings& settings) {
  for (const Method& method : methods())
    if (method.name == settings.method) return method.make(world, settings);
  throw std::runtime_error("there is no method \"" + std::string(settings.method) + "\"; --help lists them");
}

}  // namespace training
