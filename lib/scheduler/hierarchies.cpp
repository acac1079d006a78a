// Which hierarchies are worth a look. All pairs of what runs inside and across would be hundreds; but the time of a
// hierarchy is nearly the sum of its parts' times, so the best of each part for itself are enough.
#include <algorithm>
#include <limits>

#include "scheduler/candidates.hpp"
#include "scheduler/model.hpp"

namespace tutti {
namespace {

// Of each part, so many are tried with each other: what is best for itself may lose by how windows overlap.
constexpr std::size_t finalists = 3;
constexpr std::size_t finalists_of_deep = 1;  // where there are two layers and more

constexpr std::int64_t windows_tried[] = {std::numeric_limits<std::int64_t>::max(), 1 << 20, 256 << 10};

// How long phases take for themselves, with the best of a few windows.
std::int64_t time_of(const Question& question, const Machine& machine, const std::vector<Traffic>& rounds) {
  const auto bytes = static_cast<std::int64_t>(bytes_of(question));
  std::int64_t best = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t window : windows_tried) {
    window = std::min(window, bytes);
    const std::int64_t windows = window == 0 ? 1 : (bytes + window - 1) / window;
    const Pipeline pipeline{bytes, window, windows, std::min<std::int64_t>(4, windows)};
    best = std::min(best, predict(rounds, machine, pipeline).total());
  }
  return best;
}

template <class Part>
struct Ranked {
  Part part;
  std::int64_t time = 0;
};

// The `count` fastest; of equals the first alone, for the others would have no other time in any company.
template <class Part>
std::vector<Part> fastest(std::vector<Ranked<Part>> list, std::size_t count) {
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  list.erase(std::unique(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.time == b.time; }),
             list.end());
  std::vector<Part> best;
  for (std::size_t i = 0; i < std::min(count, list.size()); ++i) best.push_back(list[i].part);
  return best;
}

// Traffic between or inside the groups of level `level`, once the rest is fixed.
class Parts {
 public:
  Parts(const Question& question, const Machine& machine, const OpenHierarchy& open, std::size_t keep)
      : question_(question), machine_(machine), open_(open), keep_(keep) {}

  // Layers that can run at this level, the fastest of them.
  std::vector<Layer> layers(std::size_t level) const {
    const OpenLayer& layer = open_.layers[level];
    if (layer.inner) return {*layer.inner};
    std::vector<Ranked<Layer>> list;
    for (const Layer& each : inner_layers(question_.kind, layer.form))
      for (std::int64_t parameter : values(inner_parameter(each), shape(level)->largest())) {
        Layer tried = each;
        set_inner_parameter(tried, parameter);
        if (runs(tried, level)) list.push_back({tried, time(tried, level)});
      }
    // Where none can run, any of them says why.
    if (list.empty()) return {inner_layers(question_.kind, layer.form)[0]};
    return fastest(std::move(list), keep_);
  }

  // What can run across the coarsest groups over these layers, the fastest of them.
  std::vector<Stage> across(const std::vector<Layer>& below) const {
    const int groups = shape(open_.layers.size() - 1)->groups();
    const std::vector<Stage> all = open_.across.empty() ? every_stage(groups) : open_.across;
    const Hierarchy inside{below, stand_in(), question_.shape.get(), question_.size};
    std::vector<Ranked<Stage>> list;
    if (refuses(inside, question_.ordered).empty())
      for (const Stage& stage : all)
        if (refuses({{}, stage, nullptr, groups}, question_.ordered).empty())
          list.push_back({stage, all.size() > 1 ? time_across(below, stage) : 0});
    if (list.empty()) return {all.front()};
    return fastest(std::move(list), keep_);
  }

 private:
  const Shape* shape(std::size_t level) const {
    const Shape* at = question_.shape.get();
    for (std::size_t i = 0; i < level; ++i) at = at->above().get();
    return at;
  }

  std::vector<Stage> every_stage(int size) const {
    std::vector<Stage> list;
    for (const Algorithm& algorithm : catalogue())
      if (algorithm.kind == question_.kind)
        for (std::int64_t parameter : parameters_of(algorithm, size)) list.push_back({&algorithm, parameter});
    return list;
  }

  static std::vector<std::int64_t> values(const Parameter& parameter, int size) {
    if (parameter.name.empty()) return {0};
    Algorithm only{};
    only.parameter = parameter;
    return parameters_of(only, size);
  }

  // A stand-in across: whether the inside can run does not depend on it.
  Stage stand_in() const {
    for (const Algorithm& algorithm : catalogue())
      if (algorithm.kind == question_.kind && algorithm.keeps_order) return {&algorithm, algorithm.parameter.fallback};
    return {};
  }

  bool runs(const Layer& layer, std::size_t level) const {
    const Shape* at = shape(level);
    const std::vector<Layer> alone{layer};
    return refuses({alone, stand_in(), at, at->ranks()}, question_.ordered).empty();
  }

  std::int64_t time(const Layer& layer, std::size_t level) const {
    const Shape* at = shape(level);
    const std::vector<Layer> alone{layer};
    const Hierarchy hierarchy{alone, stand_in(), at, at->ranks()};
    std::vector<Traffic> inside = traffic_of(hierarchy, at);
    // What crosses is not this layer's; above the nodes all of it does.
    std::erase_if(inside, [](const Traffic& traffic) { return traffic.crossing > 0; });
    if (level > 0)
      for (Traffic& traffic : inside) {
        traffic.crossing = traffic.through = traffic.round.messages;
        traffic.through_in_all = scale(traffic.through, traffic.round.times);
      }
    return time_of(question_, machine_, inside);
  }

  std::int64_t time_across(const std::vector<Layer>& below, const Stage& stage) const {
    std::vector<Traffic> rounds =
        traffic_of({below, stage, question_.shape.get(), question_.size}, question_.shape.get());
    std::erase_if(rounds, [](const Traffic& traffic) { return traffic.crossing == 0; });
    return time_of(question_, machine_, rounds);
  }

  const Question& question_;
  const Machine& machine_;
  const OpenHierarchy& open_;
  const std::size_t keep_;
};

}  // namespace

std::vector<Candidate> hierarchies(const Question& question, const Machine& machine, const OpenHierarchy& open,
                                   std::optional<std::uint64_t> window_bytes, std::optional<int> in_flight) {
  const Parts parts(question, machine, open, open.layers.size() > 1 ? finalists_of_deep : finalists);
  std::vector<std::vector<Layer>> stacks{{}};
  for (std::size_t level = 0; level < open.layers.size(); ++level) {
    const std::vector<Layer> layers = parts.layers(level);
    std::vector<std::vector<Layer>> taller;
    for (const std::vector<Layer>& stack : stacks)
      for (const Layer& layer : layers) {
        taller.push_back(stack);
        taller.back().push_back(layer);
      }
    stacks = std::move(taller);
  }
  std::vector<Candidate> list;
  const std::vector<Stage> outer = parts.across(stacks[0]);
  for (const std::vector<Layer>& stack : stacks)
    for (const Stage& across : outer)
      list.push_back(consider(question, machine, stack, across, window_bytes, in_flight));
  return list;
}

std::vector<Candidate> all_hierarchies(const Question& question, const Machine& machine) {
  const Shape* shape = question.shape.get();
  std::vector<Candidate> list;
  if (shape == nullptr || shape->groups() == 1 || shape->largest() == 1) return list;
  const auto add = [&](std::vector<OpenLayer> layers) {
    for (const OpenLayer& layer : layers)
      if (inner_layers(question.kind, layer.form).empty()) return;
    const std::vector<Candidate> more = hierarchies(question, machine, {std::move(layers), {}});
    list.insert(list.end(), more.begin(), more.end());
  };
  constexpr Form forms[] = {Form::leader, Form::lanes};
  for (Form form : forms) add({{form, {}}});
  if (shape->above() == nullptr || shape->above()->groups() == 1) return list;
  for (Form fine : forms)
    for (Form coarse : forms) add({{fine, {}}, {coarse, {}}});
  return list;
}

}  // namespace tutti
