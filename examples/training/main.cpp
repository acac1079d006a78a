// SPDX-License-Identifier: BSD-3-Clause
//
// Trains a model on all ranks, and says what that costs in time and bytes by the way gradients are exchanged.
//
//   tutti run -n 4 ./training digits examples/data/digits.csv --method topk
//
// Rank 0 reads the data file and broadcasts it. docs/training.md tells what was found with it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tutti/tutti.hpp>

#include "exchange.hpp"
#include "meter.hpp"
#include "trainer.hpp"
#include "workload.hpp"

namespace {

using namespace training;

struct KnownWorkload {
  const char* name;
  const char* meaning;
  std::unique_ptr<Workload> (*make)(const std::string&, std::size_t);
  Recipe recipe;  // found by trying, as docs/training.md tells
};

const KnownWorkload workloads[] = {
    {"digits",
     "handwritten digits by a perceptron; size: neurons of each hidden layer",
     make_digits,
     {.size = 1024, .shard_samples = 12, .learning_rate = 0.1, .momentum = 0.5, .iterations = 60, .score_every = 4}},
    {"characters",
     "the next character of a text; size: neurons of the hidden layer",
     make_characters,
     {.size = 512, .shard_samples = 48, .learning_rate = 0.3, .momentum = 0.5, .iterations = 240, .score_every = 15}},
    {"languages",
     "the language of a line; size: 2^size features",
     make_languages,
     {.size = 18, .shard_samples = 44, .learning_rate = 3000, .momentum = 0.9, .iterations = 32, .score_every = 2}},
};

struct Options {
  std::string workload;
  std::string data;
  std::string method = "dense";
  double density = 0.01;
  std::string interface;
  std::string json;
  Recipe recipe;
};

void describe(CLI::App& app, Options& options) {
  std::string names = "one of\n", methods = "how gradients are exchanged:\n";
  for (const auto& known : workloads) names += std::string("  ") + known.name + ": " + known.meaning + "\n";
  for (const auto& [name, meaning] : exchange_methods()) methods += "  " + name + ": " + meaning + "\n";
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // a script's option, then a user's
  app.add_option("workload", options.workload, names)->required();
  app.add_option("data", options.data, "its data file")->required();
  app.add_option("--method", options.method, methods)->capture_default_str();
  app.add_option("--density", options.density, "what top-k sends, as a share of the parameters")->capture_default_str();
  app.add_option("--size", options.recipe.size, "of the model");
  app.add_option("--shards", options.recipe.shards, "of a batch, shared by the ranks")->check(CLI::PositiveNumber);
  app.add_option("--samples", options.recipe.shard_samples, "of a shard")->check(CLI::PositiveNumber);
  app.add_option("--rate", options.recipe.learning_rate, "the learning rate");
  app.add_option("--momentum", options.recipe.momentum);
  app.add_option("--iterations", options.recipe.iterations);
  app.add_option("--score-every", options.recipe.score_every, "iterations")->check(CLI::PositiveNumber);
  app.add_option("--until", options.recipe.until, "ends at this held-out accuracy");
  app.add_option("--seed", options.recipe.seed, "of parameters, samples and rounding");
  app.add_option("--interface", options.interface, "the network interface of each host whose bytes are counted");
  app.add_option("--json", options.json, "a file for the results");
}

const KnownWorkload& workload_called(const std::string& name) {
  for (const auto& known : workloads)
    if (name == known.name) return known;
  throw std::runtime_error("there is no workload \"" + name + "\"; --help lists them");
}

// What the command line leaves open is taken from the workload's recipe: it is parsed twice.
Options options_of(int argc, char** argv) {
  Options options;
  CLI::App first("Trains a model on all ranks.");
  describe(first, options);
  first.parse(argc, argv);
  options.recipe = workload_called(options.workload).recipe;
  CLI::App second;
  describe(second, options);
  second.parse(argc, argv);
  return options;
}

// Rank 0's file, on every rank. If rank 0 cannot read it, every rank throws.
std::string shared_file(tutti::Communicator& world, const std::string& path) {
  std::string text;
  bool good = true;
  if (world.rank() == 0) {
    std::ifstream file(path, std::ios::binary);
    good = file.good();
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  if (!world.broadcast(good)) throw std::runtime_error(path + ": cannot be opened");
  text.resize(world.broadcast(text.size()));
  world.broadcast(text);
  return text;
}

std::unique_ptr<Workload> made(const KnownWorkload& known, const std::string& text, const Options& options) {
  try {
    return known.make(text, options.recipe.size);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(options.data + ": " + error.what());
  }
}

void print(const Point& point) {
  std::printf("%9zu %9.3f %9.3f %9.3f %12llu %8.4f %8.4f\n", point.iteration, point.seconds, point.compute_seconds,
              point.exchange_seconds, static_cast<unsigned long long>(point.sent_bytes), point.loss, point.accuracy);
  std::fflush(stdout);
}

void write_json(const Options& options, int ranks, std::size_t parameters, const Outcome& outcome) {
  nlohmann::json points = nlohmann::json::array();
  for (const Point& point : outcome.points) {
    points.push_back({{"iteration", point.iteration},
                      {"seconds", point.seconds},
                      {"compute_seconds", point.compute_seconds},
                      {"exchange_seconds", point.exchange_seconds},
                      {"sent_bytes", point.sent_bytes},
                      {"loss", point.loss},
                      {"accuracy", point.accuracy}});
  }
  const Recipe& recipe = options.recipe;
  const nlohmann::json content = {{"workload", options.workload},
                                  {"method", options.method},
                                  {"density", options.density},
                                  {"ranks", ranks},
                                  {"parameters", parameters},
                                  {"size", recipe.size},
                                  {"shards", recipe.shards},
                                  {"samples", recipe.shard_samples},
                                  {"learning_rate", recipe.learning_rate},
                                  {"momentum", recipe.momentum},
                                  {"seed", recipe.seed},
                                  {"same_everywhere", outcome.same_everywhere},
                                  {"model_hash", outcome.model_hash},
                                  {"points", points}};
  std::ofstream file(options.json);
  file << content.dump(1) << '\n';
  if (!file.flush()) throw std::runtime_error(options.json + ": cannot be written");
}

int train(tutti::Communicator& world, const Options& options) {
  Meter meter(options.interface);
  const ExchangeSettings settings{options.method, options.density, options.recipe.seed, {}};
  make_exchange(world, settings);  // a method that is not there is told before the data are read
  world.barrier();
  meter.start();
  const std::string text = shared_file(world, options.data);
  const auto workload = made(workload_called(options.workload), text, options);
  const auto exchange =
      make_exchange(world, {options.method, options.density, options.recipe.seed, workload->tensors()});
  Trainer trainer(world, *workload, *exchange, options.recipe, meter);
  if (world.rank() == 0) {
    std::printf("%s, %s, %d ranks: %zu parameters, %zu samples, %zu held out\n", options.workload.c_str(),
                options.method.c_str(), world.size(), workload->parameters(), workload->training_samples(),
                workload->held_out_samples());
    std::printf("iteration   seconds   compute  exchange   bytes sent     loss accuracy\n");
  }
  const Outcome outcome = trainer.run(print);
  const bool good = outcome.same_everywhere || options.method == "none";
  if (world.rank() != 0) return good ? 0 : 1;
  std::printf("model %016zx: %s\n", outcome.model_hash,
              outcome.same_everywhere ? "the same on all ranks" : "DIFFERENT on some ranks");
  if (!options.json.empty()) write_json(options, world.size(), workload->parameters(), outcome);
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    auto world = tutti::Communicator::from_env();
    const bool first = world.rank() == 0;
    // Every rank says what is wrong: the first one that ends takes the others with it.
    try {
      return train(world, options_of(argc, argv));
    } catch (const CLI::ParseError& error) {
      CLI::App app("Trains a model on all ranks, and says what that costs.", "training");
      Options unused;
      describe(app, unused);
      const bool asked = error.get_exit_code() == 0;  // for help
      if (!asked || first) app.exit(error);
      return asked ? 0 : 2;
    } catch (const tutti::Failure&) {
      throw;
    } catch (const std::runtime_error& error) {
      std::fprintf(stderr, "training: %s\n", error.what());
      return 2;
    }
  } catch (const tutti::Failure& failure) {
    std::fprintf(stderr, "training: %s\n", failure.what());
    return 1;
  }
}
