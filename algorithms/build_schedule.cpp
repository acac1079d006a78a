// From a key to one rank's schedule: checks the key, states the collective, lets the algorithm or the hierarchy speak.
#include <tuple>

#include "algorithms/hierarchy.hpp"
#include "error.hpp"

namespace tutti {

namespace {

bool has_root(Kind kind) { return kind == Kind::broadcast || kind == Kind::reduce; }

Hierarchy hierarchy_of(const ScheduleKey& key) {
  return {key.layers, {key.algorithm, key.parameter}, key.shape.get(), key.size};
}

void check_parameter(const Algorithm& algorithm, std::int64_t value) {
  const Parameter& parameter = algorithm.parameter;
  if (parameter.name.empty() && value != 0)
    throw error(TUTTI_ERROR_ARGUMENT, "{} {} takes no parameter, and {} was given", kind_name(algorithm.kind),
                algorithm.name, value);
  if (value < parameter.least || value > parameter.most)
    throw error(TUTTI_ERROR_ARGUMENT, "{} {}: {}={} is out of range, it is from {} to {}", kind_name(algorithm.kind),
                algorithm.name, parameter.name, value, parameter.least, parameter.most);
}

void check_key(const ScheduleKey& key) {
  if (key.algorithm == nullptr) throw error(TUTTI_ERROR_INTERNAL, "a schedule without an algorithm was asked for");
  const Algorithm& algorithm = *key.algorithm;
  if (key.size < 1)
    throw error(TUTTI_ERROR_ARGUMENT, "{} on {} ranks: there must be at least one", kind_name(algorithm.kind),
                key.size);
  if (key.position < 0 || key.position >= key.size)
    throw error(TUTTI_ERROR_ARGUMENT, "rank {} is not one of the {} ranks", key.position, key.size);
  if (key.root < 0 || key.root >= key.size)
    throw error(TUTTI_ERROR_ARGUMENT, "root {} is not one of the {} ranks", key.root, key.size);
  check_parameter(algorithm, key.parameter);
  if (key.in_place && !runs_in_place(algorithm.kind))
    throw error(TUTTI_ERROR_UNSUPPORTED, "{} {} has no schedule in place: in place it runs from a copy of the input",
                kind_name(algorithm.kind), algorithm.name);
  const Hierarchy hierarchy = hierarchy_of(key);
  if (key.ordered && !algorithm.keeps_order)
    throw error(TUTTI_ERROR_UNSUPPORTED, "{} {} does not combine in rank order, which this operation needs",
                kind_name(algorithm.kind), algorithm.name);
  if (!key.layers.empty() && key.shape && key.shape->ranks() != key.size)
    throw error(TUTTI_ERROR_INTERNAL, "a shape of {} ranks was given for {} ranks", key.shape->ranks(), key.size);
  const std::string reason = refuses(hierarchy, key.ordered);
  if (!reason.empty())
    throw error(TUTTI_ERROR_UNSUPPORTED, "{} {} cannot run on {} ranks: {}", kind_name(algorithm.kind),
                hierarchy_name(key.layers, hierarchy.across), key.size, reason);
}

}  // namespace

std::size_t ScheduleKeyHash::operator()(const ScheduleKey& key) const {
  std::uint64_t hash = reinterpret_cast<std::uintptr_t>(key.algorithm);
  const auto mix = [&](std::int64_t value) { hash = (hash ^ static_cast<std::uint64_t>(value)) * 0x9e3779b97f4a7c15U; };
  mix(key.parameter);
  mix(key.size);
  mix(key.position);
  mix(key.root * 4 + (key.in_place ? 2 : 0) + (key.ordered ? 1 : 0));
  for (const Layer& layer : key.layers) {
    mix(static_cast<std::int64_t>(layer.form));
    for (const Stage* stage : {&layer.before, &layer.after}) {
      mix(static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(stage->algorithm)));
      mix(stage->parameter);
    }
  }
  if (key.shape) mix(static_cast<std::int64_t>(key.shape->hash()));
  return static_cast<std::size_t>(hash ^ (hash >> 32));
}

bool ScheduleKey::operator==(const ScheduleKey& other) const {
  const auto plain = [](const ScheduleKey& key) {
    return std::tie(key.algorithm, key.parameter, key.size, key.position, key.in_place, key.ordered, key.root);
  };
  if (plain(*this) != plain(other) || layers != other.layers) return false;
  return shape == other.shape || (shape && other.shape && *shape == *other.shape);
}

Collective collective_of(const ScheduleKey& key) {
  check_key(key);
  const std::int64_t blocks = blocks_of(hierarchy_of(key));
  const int root = key.ordered || !key.layers.empty() ? key.root : 0;
  switch (key.algorithm->kind) {
    case Kind::allreduce:
      return allreduce(key.size, blocks, key.ordered);
    case Kind::broadcast:
      return broadcast(key.size, blocks, root);
    case Kind::reduce:
      return reduce(key.size, blocks, root, key.ordered);
    case Kind::reduce_scatter:
      return reduce_scatter(key.size, 1, key.ordered);
    case Kind::allgather:
      return allgather(key.size, 1);
    case Kind::barrier:
      return barrier(key.size);
    case Kind::alltoall:
      return alltoall(key.size);
  }
  throw error(TUTTI_ERROR_INTERNAL, "collective {} has no statement", static_cast<int>(key.algorithm->kind));
}

void speak(const ScheduleKey& key, const Collective& collective, Builder& builder) {
  const bool counts = has_root(key.algorithm->kind) && (key.ordered || !key.layers.empty());
  View view(builder, Members::rotated(key.size, 0), Partition::runs(collective.blocks, 1), counts ? key.root : 0);
  if (key.layers.empty())
    key.algorithm->build(view, key.parameter);
  else
    compose(view, hierarchy_of(key), counts ? key.root : 0, key.ordered);
}

Schedule build_schedule(const ScheduleKey& key) {
  const Collective collective = collective_of(key);
  Builder builder(collective, key.position, key.in_place, hierarchy_name(key.layers, hierarchy_of(key).across));
  speak(key, collective, builder);
  return builder.finish();
}

}  // namespace tutti
