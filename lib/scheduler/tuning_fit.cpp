// See tuning_fit.hpp. By coordinate descent: the model is a black box of a few constants, it is cheap, and each
// constant only ever makes a prediction longer, so that steps by a factor find the valley. What is made small is the
// time lost by choosing by the predictions, and beside it the squares of the logarithms of measured / predicted: the
// squares alone would make predictions right on the whole and spoil the choice between the few that are nearest to each
// other.
#include "scheduler/tuning_fit.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <tuple>

#include "error.hpp"
#include "scheduler/overrides.hpp"

namespace tutti {
namespace {

constexpr std::size_t fewest_calls = 12;
// A call that is off by more than this factor was disturbed, or is beyond the model; it must not bend the rest.
const double most_off = std::log(4.0);
// A constant that the calls say little of stays near what is described, and a correction near one.
constexpr double pull_to_described = 0.005;
constexpr double pull_to_one = 0.1;
// What a better prediction is worth beside a better choice. Constants are to be right on the whole, corrections to
// choose.
constexpr double worth_to_constants = 0.2;
constexpr double worth_to_corrections = 0.02;
// Predictions nearer to each other than this share the choice: measured anew, the other one might win.
constexpr double indistinct = 0.1;
constexpr double least_gain = 1e-6;
const double farthest = std::log(50.0);  // from what is described

struct Costs {
  Machine node;
  NetworkCosts network;
};

using Constant = std::int64_t& (*)(Costs&);
constexpr Constant constants_of_node[] = {
    [](Costs& costs) -> std::int64_t& { return costs.node.hop_ps; },
    [](Costs& costs) -> std::int64_t& { return costs.node.message_ps; },
    [](Costs& costs) -> std::int64_t& { return costs.node.byte_ps_1024; },
    [](Costs& costs) -> std::int64_t& { return costs.node.copy_ps_1024; },
    [](Costs& costs) -> std::int64_t& { return costs.node.combine_ps_1024; },
    [](Costs& costs) -> std::int64_t& { return costs.node.switch_ps; },
};
constexpr Constant constants_of_network[] = {
    [](Costs& costs) -> std::int64_t& { return costs.network.hop_ps; },
    [](Costs& costs) -> std::int64_t& { return costs.network.message_ps; },
    [](Costs& costs) -> std::int64_t& { return costs.network.gap_ps; },
    [](Costs& costs) -> std::int64_t& { return costs.network.byte_ps_1024; },
};

// A call whose candidate is understood.
struct Sample {
  const MeasuredCall* call = nullptr;
  std::vector<Layer> layers;
  Stage across;
  std::uint64_t window_bytes = 0;
  std::optional<int> in_flight;
  std::size_t group = 0;  // of those that share a correction
  double weight = 1;      // near the fastest of its cell a mistake costs most
};

class Fitting {
 public:
  explicit Fitting(std::span<const MeasuredCall> calls) {
    start_.node = described_machine(1, 1);
    start_.network = described_network();
    for (const MeasuredCall& call : calls) add(call);
    if (samples_.size() < fewest_calls)
      throw error(TUTTI_ERROR_ARGUMENT, "{} measured calls can be understood; at least {} are needed for a fit",
                  samples_.size(), fewest_calls);
    weigh();
  }

  Fit run(const std::function<void(double)>& progress) {
    Fit fit;
    fit.calls = samples_.size();
    Costs costs = start_;
    fit.error_before = median_error(costs, {});
    descend(costs, progress);
    const std::vector<double> corrections = corrections_of(residuals(costs));
    fit.error_after = median_error(costs, corrections);
    fit.node = costs.node;
    if (crosses_) fit.network = costs.network;
    for (const auto& [key, group] : groups_)
      fit.corrections.push_back(
          {key.first, key.second, std::max<std::int64_t>(1, std::llround(1024 * std::exp(corrections[group])))});
    return fit;
  }

 private:
  void add(const MeasuredCall& call) {
    if (call.time_ps <= 0) return;
    Sample sample;
    sample.call = &call;
    try {
      const std::string text = fmt::format("{}={}", kind_name(call.question.kind), call.setting);
      const Overrides parsed = Overrides::parse(text, "the measured call");
      const Override* entry = parsed.find(call.question.kind, bytes_of(call.question));
      if (entry == nullptr || entry->algorithm == nullptr) return;
      for (const ForcedLayer& layer : entry->layers) {
        if (!layer.inner) return;
        sample.layers.push_back(*layer.inner);
      }
      sample.across = {entry->algorithm, entry->parameter.value_or(entry->algorithm->parameter.fallback)};
      sample.window_bytes = entry->window_bytes.value_or(bytes_of(call.question));
      sample.in_flight = entry->in_flight;
    } catch (const Error&) {
      return;  // of another version, whose algorithms are not these
    }
    if (!predicted(sample, start_)) return;
    const std::string name(sample.layers.empty() ? sample.across.algorithm->name
                                                 : form_name(sample.layers.front().form));
    sample.group = groups_.try_emplace({call.question.kind, name}, groups_.size()).first->second;
    crosses_ = crosses_ || call.machine.network.described();
    samples_.push_back(std::move(sample));
  }

  void weigh() {
    using Cell = std::tuple<Kind, std::uint64_t, int, bool>;
    const auto cell = [](const MeasuredCall& call) {
      return Cell{call.question.kind, bytes_of(call.question), call.question.size, call.machine.network.described()};
    };
    std::map<Cell, std::vector<std::size_t>> cells;
    for (std::size_t i = 0; i < samples_.size(); ++i) cells[cell(*samples_[i].call)].push_back(i);
    for (auto& [key, members] : cells) {
      std::int64_t best = std::numeric_limits<std::int64_t>::max();
      for (const std::size_t i : members) best = std::min(best, samples_[i].call->time_ps);
      for (const std::size_t i : members)
        samples_[i].weight = static_cast<double>(best) / static_cast<double>(samples_[i].call->time_ps);
      cells_.push_back(std::move(members));
    }
    for (const Sample& sample : samples_) times_.push_back(std::log(static_cast<double>(sample.call->time_ps)));
  }

  static std::optional<double> predicted(const Sample& sample, const Costs& costs) {
    Machine machine = sample.call->machine;
    machine.hop_ps = costs.node.hop_ps;
    machine.message_ps = costs.node.message_ps;
    machine.byte_ps_1024 = costs.node.byte_ps_1024;
    machine.copy_ps_1024 = costs.node.copy_ps_1024;
    machine.combine_ps_1024 = costs.node.combine_ps_1024;
    machine.switch_ps = costs.node.switch_ps;
    if (machine.network.described()) {
      const std::uint64_t inline_bytes = machine.network.inline_bytes;
      machine.network = costs.network;
      machine.network.inline_bytes = inline_bytes;
    }
    const Candidate candidate =
        consider(sample.call->question, machine, sample.layers, sample.across, sample.window_bytes, sample.in_flight);
    if (!candidate.refused.empty() || candidate.total_ps <= 0) return std::nullopt;
    return static_cast<double>(candidate.total_ps);
  }

  // log(measured / predicted) of each call.
  std::vector<double> residuals(const Costs& costs) const {
    std::vector<double> list;
    for (const Sample& sample : samples_)
      list.push_back(std::log(static_cast<double>(sample.call->time_ps) / predicted(sample, costs).value_or(1)));
    return list;
  }

  // The time lost by choosing by these predictions, of all cells in the middle, as a logarithm; then how far
  // predictions and corrections are off.
  double loss_of(const std::vector<double>& residuals, const std::vector<double>& corrections,
                 double worth_of_prediction) const {
    double loss = 0;
    for (const std::vector<std::size_t>& cell : cells_) {
      double lost = 0, shares = 0;
      double first = std::numeric_limits<double>::max();
      const auto predicted = [&](std::size_t i) { return times_[i] - residuals[i] + corrections[samples_[i].group]; };
      for (const std::size_t i : cell) first = std::min(first, predicted(i));
      for (const std::size_t i : cell) {
        const double share = std::exp((first - predicted(i)) / indistinct);
        lost += share * -std::log(samples_[i].weight);
        shares += share;
      }
      loss += lost / shares / static_cast<double>(cells_.size());
    }
    double off = 0, weights = 0;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      const double correction = corrections[samples_[i].group];
      const double left = std::clamp(residuals[i] - correction, -most_off, most_off);
      off += samples_[i].weight * (worth_of_prediction * square(left) + pull_to_one * square(correction));
      weights += samples_[i].weight;
    }
    return loss + off / weights;
  }

  // A factor that makes an algorithm's predictions right on the whole may spoil the choice where they were right: the
  // factors are moved only as long as less time is lost.
  std::vector<double> corrections_of(const std::vector<double>& residuals) const {
    std::vector<double> corrections(groups_.size());
    double least = loss_of(residuals, corrections, worth_to_corrections);
    for (const double step : {0.2, 0.1, 0.05, 0.02})
      for (bool better = true; better;) {
        better = false;
        for (double& correction : corrections)
          for (const double by : {step, -step}) {
            const double before = correction;
            correction = std::clamp(correction + by, -most_off, most_off);
            const double loss = loss_of(residuals, corrections, worth_to_corrections);
            if (loss < least - least_gain) {
              least = loss;
              better = true;
            } else {
              correction = before;
            }
          }
      }
    return corrections;
  }

  double cost_of(const Costs& costs) const {
    const std::vector<double> off = residuals(costs);
    double pull = 0;
    for (const Constant constant : constants()) pull += square(distance(costs, constant));
    return loss_of(off, std::vector<double>(groups_.size()), worth_to_constants) + pull_to_described * pull;
  }

  static double square(double value) { return value * value; }

  // Logarithm of a constant beside what is described.
  double distance(Costs costs, Constant constant) const {
    Costs from = start_;
    return std::log(static_cast<double>(constant(costs)) / static_cast<double>(constant(from)));
  }

  std::vector<Constant> constants() const {
    std::vector<Constant> list(std::begin(constants_of_node), std::end(constants_of_node));
    if (crosses_) list.insert(list.end(), std::begin(constants_of_network), std::end(constants_of_network));
    return list;
  }

  // From large steps to small ones; a constant is moved as long as that helps.
  void descend(Costs& costs, const std::function<void(double)>& progress) const {
    constexpr double steps[] = {2, 1.5, 1.25, 1.12, 1.05, 1.02};
    constexpr int sweeps = 3;
    double least = cost_of(costs);
    int done = 0;
    for (const double step : steps)
      for (int sweep = 0; sweep < sweeps; ++sweep) {
        if (progress) progress(done++ / static_cast<double>(std::size(steps) * sweeps));
        bool better = false;
        for (const Constant constant : constants())
          for (const double factor : {step, 1 / step}) better = move(costs, constant, factor, least) || better;
        if (!better) break;
      }
  }

  bool move(Costs& costs, Constant constant, double factor, double& least) const {
    bool better = false;
    while (true) {
      Costs tried = costs;
      constant(tried) = std::max<std::int64_t>(1, std::llround(static_cast<double>(constant(tried)) * factor));
      if (std::abs(distance(tried, constant)) > farthest) return better;
      const double cost = cost_of(tried);
      if (cost >= least) return better;
      least = cost;
      costs = tried;
      better = true;
    }
  }

  double median_error(const Costs& costs, const std::vector<double>& corrections) const {
    std::vector<double> errors = residuals(costs);
    for (std::size_t i = 0; i < errors.size(); ++i) {
      if (!corrections.empty()) errors[i] -= corrections[samples_[i].group];
      errors[i] = std::abs(std::exp(-errors[i]) - 1);
    }
    const auto middle = errors.begin() + static_cast<std::ptrdiff_t>(errors.size() / 2);
    std::nth_element(errors.begin(), middle, errors.end());
    return *middle;
  }

  std::vector<Sample> samples_;
  std::vector<double> times_;                    // their logarithms
  std::vector<std::vector<std::size_t>> cells_;  // the samples of one collective, size and number of ranks
  std::map<std::pair<Kind, std::string>, std::size_t> groups_;
  bool crosses_ = false;
  Costs start_;
};

}  // namespace

Fit fit_tuning(std::span<const MeasuredCall> calls, const std::function<void(double)>& progress) {
  return Fitting(calls).run(progress);
}

}  // namespace tutti
