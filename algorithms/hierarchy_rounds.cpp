// What the phases of a hierarchy cost: rounds and messages of its parts; see hierarchy.hpp.
#include <algorithm>

#include "algorithms/hierarchy.hpp"
#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

bool has_block_each(Kind kind) { return kind == Kind::reduce_scatter || kind == Kind::allgather; }

std::int64_t divided_up(std::int64_t value, std::int64_t divisor) { return (value + divisor - 1) / divisor; }

std::int64_t parts_of(const Stage& stage, std::int64_t size) {
  const std::int64_t asked = stage.algorithm->blocks(size, stage.parameter);
  return asked == 0 ? size : asked;
}

// The phases inside groups of `size` ranks.
class Inside {
 public:
  Inside(const Hierarchy& hierarchy, std::int64_t blocks, int size)
      : hierarchy_(hierarchy),
        layer_(hierarchy.layers[0]),
        kind_(hierarchy.across.algorithm->kind),
        blocks_(blocks),
        size_(size) {}

  Phase before() const {
    if (layer_.form == Form::leader)
      return kind_ == Kind::allgather ? own_blocks(gather_rounds(size_)) : even(layer_.before);
    return kind_ == Kind::broadcast ? by_lanes(scatter_rounds(size_)) : by_lanes(rounds_of(layer_.before));
  }
  Phase after() const {
    if (layer_.form == Form::leader)
      return kind_ == Kind::reduce_scatter ? own_blocks(scatter_rounds(size_)) : even(layer_.after);
    return kind_ == Kind::reduce ? by_lanes(gather_rounds(size_)) : by_lanes(rounds_of(layer_.after));
  }

 private:
  std::vector<Round> rounds_of(const Stage& stage) const {
    return stage.algorithm == nullptr ? std::vector<Round>{} : stage.algorithm->rounds(size_, stage.parameter);
  }

  // The whole vector, cut as the algorithm wants it.
  Phase even(const Stage& stage) const {
    Phase phase{.rounds = rounds_of(stage), .share = {1, 1}, .all_blocks = blocks_};
    if (stage.algorithm == nullptr) return phase;
    phase.parts = parts_of(stage, size_);
    phase.part_blocks = divided_up(blocks_, phase.parts);
    return phase;
  }

  // The blocks of the group's own ranks.
  Phase own_blocks(std::vector<Round> rounds) const {
    return {.rounds = std::move(rounds), .share = {size_, hierarchy_.size}, .parts = size_, .all_blocks = size_};
  }

  // The whole vector; a rank owns the lanes that it serves.
  Phase by_lanes(std::vector<Round> rounds) const {
    Phase phase{.rounds = std::move(rounds), .share = {1, 1}, .parts = size_, .all_blocks = blocks_};
    const std::int64_t lane_blocks =
        has_block_each(kind_) ? hierarchy_.shape->groups() : divided_up(blocks_, hierarchy_.shape->largest());
    phase.part_blocks = std::min(blocks_, lane_blocks * divided_up(hierarchy_.shape->largest(), size_));
    return phase;
  }

  const Hierarchy& hierarchy_;
  const Layer& layer_;
  const Kind kind_;
  const std::int64_t blocks_;
  const int size_;
};

// What is one level up, seen from here: a lane has its share of the vector, and there are several.
Phase lifted(Phase phase, const Hierarchy& hierarchy) {
  const Shape& shape = *hierarchy.shape;
  const bool lanes = hierarchy.layers[0].form == Form::lanes;
  phase.across = true;
  if (lanes) {
    phase.share.whole *= shape.largest();
    phase.streams *= divided_up(shape.largest(), shape.smallest());
    phase.of_group *= shape.largest();
  } else if (has_block_each(hierarchy.across.algorithm->kind)) {
    // A leader stands for a whole group: what is one block above is all its ranks' blocks here.
    phase.part_blocks *= shape.largest();
    phase.all_blocks = hierarchy.size;
  }
  return phase;
}

std::int64_t largest_message(const Phase& phase) {
  std::int64_t largest = 0;
  for (const Round& round : phase.rounds) {
    const std::int64_t shares = round.bytes.whole * std::max<std::int64_t>(round.messages, 1);
    const std::int64_t parts = divided_up(phase.parts * round.bytes.part, shares);
    largest = std::max(largest, std::min(phase.all_blocks, parts * phase.part_blocks));
  }
  return largest;
}

std::vector<Phase> phases_with(const Hierarchy& hierarchy, std::int64_t blocks, int size);

Phase flat_phase(const Hierarchy& hierarchy, std::int64_t blocks) {
  Phase phase{.rounds = hierarchy.across.algorithm->rounds(hierarchy.size, hierarchy.across.parameter),
              .share = {1, 1}};
  phase.parts =
      has_block_each(hierarchy.across.algorithm->kind) ? hierarchy.size : parts_of(hierarchy.across, hierarchy.size);
  phase.all_blocks = blocks;
  phase.part_blocks = divided_up(blocks, phase.parts);
  return phase;
}

// With groups of the finest level of this size, and the largest ones above.
std::vector<Phase> phases_with(const Hierarchy& hierarchy, std::int64_t blocks, int size) {
  if (hierarchy.layers.empty()) return {flat_phase(hierarchy, blocks)};
  const Inside inside(hierarchy, blocks, size);
  const Hierarchy above = hierarchy.above();
  const bool each = has_block_each(hierarchy.across.algorithm->kind);
  const bool lanes = hierarchy.layers[0].form == Form::lanes;
  const std::int64_t blocks_above = each ? above.size : lanes ? blocks / hierarchy.shape->largest() : blocks;
  std::vector<Phase> phases{inside.before()};
  for (Phase& phase : phases_with(above, blocks_above, above.layers.empty() ? above.size : above.shape->largest()))
    phases.push_back(lifted(std::move(phase), hierarchy));
  phases.push_back(inside.after());
  std::erase_if(phases, [](const Phase& phase) { return phase.rounds.empty(); });
  return phases;
}

}  // namespace

std::vector<Phase> phases_of(const Hierarchy& hierarchy) {
  return phases_with(hierarchy, blocks_of(hierarchy),
                     hierarchy.layers.empty() ? hierarchy.size : hierarchy.shape->largest());
}

std::int64_t largest_message(const Hierarchy& hierarchy) {
  const std::int64_t blocks = blocks_of(hierarchy);
  std::int64_t largest = 0;
  const auto note = [&](const std::vector<Phase>& phases) {
    for (const Phase& phase : phases) largest = std::max(largest, largest_message(phase));
  };
  if (hierarchy.layers.empty()) {
    note(phases_of(hierarchy));
    return largest;
  }
  for (int size : hierarchy.shape->sizes()) note(phases_with(hierarchy, blocks, size));
  const Hierarchy above = hierarchy.above();
  if (above.layers.empty()) return largest;
  // The sizes of the groups above, each with the largest ones here.
  const bool each = has_block_each(hierarchy.across.algorithm->kind);
  std::int64_t unit = each ? hierarchy.shape->largest() : divided_up(blocks, blocks_of(above));
  if (hierarchy.layers[0].form == Form::lanes) unit = 1;
  return std::max(largest, std::min(blocks, unit * largest_message(above)));
}

}  // namespace tutti
