// The two forms over every collective; see hierarchy.hpp.
#include "algorithms/hierarchy.hpp"

#include <algorithm>
#include <numeric>

#include "algorithms/pieces.hpp"
#include "error.hpp"

namespace tutti {

namespace {

bool has_root(Kind kind) { return kind == Kind::broadcast || kind == Kind::reduce; }
bool has_block_each(Kind kind) { return kind == Kind::reduce_scatter || kind == Kind::allgather; }

std::int64_t parts_of(const Stage& stage, int size) {
  const std::int64_t asked = stage.algorithm->blocks(size, stage.parameter);
  return asked == 0 ? size : asked;
}

// A number of blocks that all these numbers of parts divide, or, where that were too many, that cuts them nearly even.
std::int64_t fitting(const std::vector<std::int64_t>& parts) {
  constexpr std::int64_t enough = 8;  // a part is at most an eighth larger than another
  const std::int64_t most = enough * *std::max_element(parts.begin(), parts.end());
  std::int64_t common = 1;
  for (std::int64_t count : parts) {
    common = std::lcm(common, count);
    if (common > most) return most;
  }
  return common;
}

// An algorithm on its own ranks, whichever way it wants its root.
void run(const View& ranks, const Stage& stage, int root, bool ordered) {
  const Kind kind = stage.algorithm->kind;
  View seen = !has_root(kind) ? ranks : ordered && kind == Kind::reduce ? ranks.rooted(root) : ranks.turned(root);
  stage.algorithm->build(seen, stage.parameter);
}

// All blocks of a view, cut into parts that differ by one block at most.
Partition evenly(const View& view, std::int64_t parts) {
  return Partition::computed(parts, [view, parts](std::int64_t first, std::int64_t count, Blocks& to) {
    const std::int64_t begin = first * view.parts() / parts, end = (first + count) * view.parts() / parts;
    to.add(view.blocks(begin, end - begin));
  });
}

// One rank's steps of the finest layer.
class Composition {
 public:
  Composition(const View& view, const Hierarchy& hierarchy, int root, bool ordered)
      : view_(view),
        hierarchy_(hierarchy),
        shape_(*hierarchy.shape),
        layer_(hierarchy.layers[0]),
        kind_(hierarchy.across.algorithm->kind),
        ordered_(ordered),
        group_(shape_.group_of(view.rank())),
        place_(shape_.place_of(view.rank())),
        size_(shape_.size_of(group_)),
        root_group_(shape_.group_of(root)),
        root_place_(shape_.place_of(root)) {}

  void leader() {
    const int top = leader_of(group_);
    if (kind_ == Kind::allgather) {
      View own = turned_inside(top);
      binomial_gather(own);
    } else if (layer_.before.algorithm != nullptr) {
      run(inside(evenly(view_, parts_of(layer_.before, size_))), layer_.before, top, ordered_);
    }
    if (place_ == top) across_leaders();
    if (kind_ == Kind::reduce_scatter) {
      View own = turned_inside(top);
      binomial_scatter(own);
    } else if (layer_.after.algorithm != nullptr) {
      run(inside(evenly(view_, parts_of(layer_.after, size_))), layer_.after, top, ordered_);
    }
  }

  void lanes() {
    const int count = shape_.largest();
    if (kind_ == Kind::broadcast && group_ == root_group_) {
      View own = turned_lanes(root_place_);
      binomial_scatter(own);
    } else if (layer_.before.algorithm != nullptr) {
      run(inside(lanes_by_owner(0)), layer_.before, 0, ordered_);
    }
    for (int lane = place_; lane < count; lane += size_) across_lane(lane);
    if (kind_ == Kind::reduce && group_ == root_group_) {
      View own = turned_lanes(root_place_);
      binomial_gather(own);
    } else if (layer_.after.algorithm != nullptr) {
      run(inside(lanes_by_owner(0)), layer_.after, 0, ordered_);
    }
  }

 private:
  int leader_of(int group) const { return has_root(kind_) && group == root_group_ ? root_place_ : 0; }

  // ---- who ----

  View inside(Partition partition) const {
    const Shape* shape = &shape_;
    const int group = group_;
    return view_.group(
        size_, place_, [=](std::int64_t position) { return shape->member(group, static_cast<int>(position)); },
        std::move(partition));
  }

  void across_leaders() {
    const Shape* shape = &shape_;
    const int root_group = root_group_, root_place = leader_of(root_group_);
    const Hierarchy above = hierarchy_.above();
    View leaders = view_.group(
        shape_.groups(), group_,
        [=](std::int64_t position) {
          const auto group = static_cast<int>(position);
          return shape->member(group, group == root_group ? root_place : 0);
        },
        has_block_each(kind_) ? blocks_by_group() : evenly(view_, blocks_of(above)));
    compose(leaders, above, root_group_, ordered_);
  }

  void across_lane(int lane) {
    const Shape* shape = &shape_;
    View owners = view_.group(
        shape_.groups(), group_,
        [=](std::int64_t position) {
          const auto group = static_cast<int>(position);
          return shape->member(group, lane % shape->size_of(group));
        },
        parts_of_lane(lane));
    compose(owners, hierarchy_.above(), root_group_, ordered_);
  }

  // ---- what ----

  // For a scatter or gather in this group, which begins or ends at `first`: each rank's own block.
  View turned_inside(int first) const {
    const View view = view_;
    const Shape* shape = &shape_;
    const int group = group_, size = size_;
    return inside(Partition::computed(size_,
                                      [=](std::int64_t begin, std::int64_t count, Blocks& to) {
                                        for (std::int64_t i = begin; i < begin + count; ++i)
                                          to.add(
                                              view.block(shape->member(group, static_cast<int>((i + first) % size))));
                                      }))
        .turned(first);
  }
  View turned_lanes(int first) const { return inside(lanes_by_owner(first)).turned(first); }

  // All blocks of a group's ranks.
  Partition blocks_by_group() const {
    const View view = view_;
    const Shape* shape = &shape_;
    return Partition::computed(shape_.groups(), [=](std::int64_t first, std::int64_t count, Blocks& to) {
      for (auto group = static_cast<int>(first); group < first + count; ++group)
        for (int place = 0; place < shape->size_of(group); ++place) to.add(view.block(shape->member(group, place)));
    });
  }

  // A lane's parts for what runs across: equal ones of its own share of the vector, or, where each rank has a block,
  // the blocks of the ranks that have the lane's number in their groups.
  Partition parts_of_lane(int lane) const {
    const View view = view_;
    if (has_block_each(kind_)) {
      const Shape* shape = &shape_;
      return Partition::computed(shape_.groups(), [=](std::int64_t first, std::int64_t count, Blocks& to) {
        for (auto group = static_cast<int>(first); group < first + count; ++group)
          if (lane < shape->size_of(group)) to.add(view.block(shape->member(group, lane)));
      });
    }
    const std::int64_t width = view_.parts() / shape_.largest();
    return Partition::computed(width, [=](std::int64_t first, std::int64_t count, Blocks& to) {
      to.add(view.blocks(lane * width + first, count));
    });
  }

  // Inside a group: position i owns the lanes that the rank `turn` places further serves.
  Partition lanes_by_owner(int turn) const {
    std::vector<Blocks> lanes;
    for (int lane = 0; lane < shape_.largest(); ++lane) {
      const Partition parts = parts_of_lane(lane);
      lanes.emplace_back();
      parts.append(0, parts.parts(), lanes.back());
    }
    const int size = size_;
    return Partition::computed(size_, [=](std::int64_t first, std::int64_t count, Blocks& to) {
      for (std::int64_t i = first; i < first + count; ++i)
        for (auto lane = static_cast<std::size_t>((i + turn) % size); lane < lanes.size();
             lane += static_cast<std::size_t>(size))
          to.add(lanes[lane]);
    });
  }

  const View& view_;
  const Hierarchy& hierarchy_;
  const Shape& shape_;
  const Layer& layer_;
  const Kind kind_;
  const bool ordered_;
  const int group_, place_, size_;
  const int root_group_, root_place_;
};

// Why a stage cannot run inside groups of these sizes.
std::string refuses_inside(const Stage& stage, const Shape& shape, Kind kind, bool ordered) {
  if (stage.algorithm == nullptr) return {};
  const Kind own = stage.algorithm->kind;
  const bool combines = own == Kind::reduce || own == Kind::reduce_scatter;
  if (ordered && combines && !stage.algorithm->keeps_order)
    return fmt::format("{} inside the groups does not combine in rank order, which this operation needs",
                       stage_name(stage));
  for (int size : shape.sizes()) {
    const std::string reason = stage.algorithm->refuses(size, stage.parameter);
    if (!reason.empty())
      return fmt::format("{} cannot run in a group of {} ranks: {}", stage_name(stage), size, reason);
    if (kind == Kind::barrier && parts_of(stage, size) != 1)
      return fmt::format("{} cuts what it sends into {} parts, and a barrier's token cannot be cut", stage_name(stage),
                         parts_of(stage, size));
  }
  return {};
}

std::int64_t depth_inside(const Stage& stage, const Shape& shape) {
  std::int64_t deepest = 0;
  if (stage.algorithm != nullptr)
    for (int size : shape.sizes()) deepest = std::max(deepest, stage.algorithm->depth(size, stage.parameter));
  return deepest;
}

// What comes back after a reduce-scatter of this name.
std::string_view counterpart(std::string_view scatter) {
  return scatter == "recursive-halving" ? "recursive-doubling" : scatter;
}

const Algorithm* found(Kind kind, std::string_view name) {
  for (const Algorithm& algorithm : catalogue())
    if (algorithm.kind == kind && algorithm.name == name) return &algorithm;
  return nullptr;
}

Stage with_default(const Algorithm* algorithm) {
  return {algorithm, algorithm == nullptr ? 0 : algorithm->parameter.fallback};
}

std::vector<Layer> alone(Form form, Kind kind, bool first) {
  std::vector<Layer> list;
  for (const Algorithm& algorithm : catalogue()) {
    if (algorithm.kind != kind) continue;
    const Stage stage = with_default(&algorithm);
    list.push_back({form, algorithm.name, first ? stage : Stage{}, first ? Stage{} : stage});
  }
  return list;
}

std::vector<Layer> pairs(Form form, Kind before, Kind after) {
  std::vector<Layer> list;
  for (const Algorithm& algorithm : catalogue()) {
    if (algorithm.kind != before) continue;
    const Algorithm* back = found(after, counterpart(algorithm.name));
    if (back == nullptr) continue;
    const bool direct_twice = before == Kind::reduce_scatter && algorithm.name == "one-shot";
    list.push_back({form, direct_twice ? "two-shot" : algorithm.name, with_default(&algorithm), with_default(back)});
  }
  return list;
}

std::vector<Layer> listed(Kind kind, Form form) {
  const bool lanes = form == Form::lanes;
  switch (kind) {
    case Kind::allreduce:
      return lanes ? pairs(form, Kind::reduce_scatter, Kind::allgather) : pairs(form, Kind::reduce, Kind::broadcast);
    case Kind::broadcast:
      return alone(form, lanes ? Kind::allgather : Kind::broadcast, false);
    case Kind::reduce:
      return alone(form, lanes ? Kind::reduce_scatter : Kind::reduce, true);
    case Kind::reduce_scatter:
      return alone(form, lanes ? Kind::reduce_scatter : Kind::reduce, true);
    case Kind::allgather:
      return alone(form, lanes ? Kind::allgather : Kind::broadcast, false);
    case Kind::barrier:
      break;
    case Kind::alltoall:
      return {};
  }
  if (lanes) return {};
  std::vector<Layer> list = pairs(form, Kind::reduce, Kind::broadcast);
  std::erase_if(list,
                [](const Layer& layer) { return parts_of(layer.before, 2) != 1 || parts_of(layer.after, 2) != 1; });
  return list;
}

}  // namespace

std::string_view form_name(Form form) { return form == Form::lanes ? "lanes" : "leader"; }

std::string stage_name(const Stage& stage) {
  const Parameter& parameter = stage.algorithm->parameter;
  if (parameter.name.empty()) return std::string(stage.algorithm->name);
  return fmt::format("{}({}={})", stage.algorithm->name, parameter.name, stage.parameter);
}

std::string hierarchy_name(std::span<const Layer> layers, const Stage& across) {
  if (layers.empty()) return stage_name(across);
  const Parameter own = inner_parameter(layers[0]);
  const Stage& named = layers[0].before.algorithm != nullptr && !layers[0].before.algorithm->parameter.name.empty()
                           ? layers[0].before
                           : layers[0].after;
  const std::string inner = own.name.empty() ? std::string(layers[0].inner)
                                             : fmt::format("{}({}={})", layers[0].inner, own.name, named.parameter);
  return fmt::format("{}(inner={}, outer={})", form_name(layers[0].form), inner,
                     hierarchy_name(layers.subspan(1), across));
}

std::span<const Layer> inner_layers(Kind kind, Form form) {
  // Made once: the catalogue does not change.
  static const std::vector<std::vector<Layer>> all = [] {
    std::vector<std::vector<Layer>> lists;
    for (Kind each : {Kind::allreduce, Kind::broadcast, Kind::reduce, Kind::reduce_scatter, Kind::allgather,
                      Kind::barrier, Kind::alltoall})
      for (Form way : {Form::leader, Form::lanes}) lists.push_back(listed(each, way));
    return lists;
  }();
  return all[static_cast<std::size_t>(kind) * 2 + (form == Form::lanes ? 1 : 0)];
}

Parameter inner_parameter(const Layer& layer) {
  for (const Stage* stage : {&layer.before, &layer.after})
    if (stage->algorithm != nullptr && !stage->algorithm->parameter.name.empty()) return stage->algorithm->parameter;
  return no_parameter;
}

void set_inner_parameter(Layer& layer, std::int64_t value) {
  for (Stage* stage : {&layer.before, &layer.after})
    if (stage->algorithm != nullptr && !stage->algorithm->parameter.name.empty()) stage->parameter = value;
}

Hierarchy Hierarchy::above() const { return {layers.subspan(1), across, shape->above().get(), shape->groups()}; }

std::string refuses(const Hierarchy& hierarchy, bool ordered) {
  const Kind kind = hierarchy.across.algorithm->kind;
  if (hierarchy.layers.empty()) {
    if (ordered && !hierarchy.across.algorithm->keeps_order)
      return "it does not combine in rank order, which an operation that does not commute needs";
    return hierarchy.across.algorithm->refuses(hierarchy.size, hierarchy.across.parameter);
  }
  const int levels = hierarchy.shape == nullptr ? 0 : hierarchy.shape->levels();
  if (static_cast<std::size_t>(levels) < hierarchy.layers.size())
    return fmt::format("it composes {} level{} of groups of ranks, such as nodes, and {} known here",
                       hierarchy.layers.size(), hierarchy.layers.size() == 1 ? "" : "s",
                       levels == 0   ? "none is"
                       : levels == 1 ? "one is"
                                     : "fewer are");
  const Layer& layer = hierarchy.layers[0];
  if (kind == Kind::alltoall)
    return "alltoall has no such form: every pair of ranks has a block of its own, so groups have nothing to share";
  if (inner_layers(kind, layer.form).empty())
    return fmt::format("{} has no such form: it has no bytes that lanes could share", kind_name(kind));
  if (ordered && !hierarchy.shape->keeps_order())
    return "the ranks of a group do not follow one another, so groups cannot be combined in rank order";
  for (const Stage* stage : {&layer.before, &layer.after}) {
    std::string reason = refuses_inside(*stage, *hierarchy.shape, kind, ordered);
    if (!reason.empty()) return reason;
  }
  return refuses(hierarchy.above(), ordered);
}

std::int64_t blocks_of(const Hierarchy& hierarchy) {
  const Kind kind = hierarchy.across.algorithm->kind;
  if (has_block_each(kind)) return hierarchy.size;
  if (kind == Kind::barrier) return 1;
  if (hierarchy.layers.empty()) return parts_of(hierarchy.across, hierarchy.size);
  const std::int64_t above = blocks_of(hierarchy.above());
  const Layer& layer = hierarchy.layers[0];
  if (layer.form == Form::lanes) return above * hierarchy.shape->largest();
  std::vector<std::int64_t> parts{above};
  for (const Stage* stage : {&layer.before, &layer.after})
    if (stage->algorithm != nullptr)
      for (int size : hierarchy.shape->sizes()) parts.push_back(parts_of(*stage, size));
  return fitting(parts);
}

std::int64_t depth_of(const Hierarchy& hierarchy) {
  if (hierarchy.layers.empty()) return hierarchy.across.algorithm->depth(hierarchy.size, hierarchy.across.parameter);
  return depth_inside(hierarchy.layers[0].before, *hierarchy.shape) + depth_of(hierarchy.above());
}

void compose(View& view, const Hierarchy& hierarchy, int root, bool ordered) {
  if (hierarchy.layers.empty()) return run(view, hierarchy.across, root, ordered);
  Composition composition(view, hierarchy, root, ordered);
  if (hierarchy.layers[0].form == Form::lanes)
    composition.lanes();
  else
    composition.leader();
}

}  // namespace tutti
