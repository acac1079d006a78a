// A schedule: the steps of one rank in one collective, over blocks. It knows nothing of counts, types or
// addresses, so it is built once and bound to buffers at each call. Checker, executor and simulator consume
// this same object.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "schedule/blocks.hpp"

namespace tutti {

// An executor starts at most this many steps beyond its oldest unfinished one. It bounds memory and posted
// receives, and it lets the dependencies of a step fit into one word: what is further back has ended.
inline constexpr int lookahead = 64;

// Storage of a rank. Input and output are the caller's; `scratch` holds blocks that nobody wants here in the
// end; each `aside` area (1, 2, ...) holds one arrival that was kept apart.
enum class Space : std::uint8_t { input, output, scratch, aside };

struct Place {
  Space space = Space::input;
  std::int32_t area = 0;  // which aside area; 0 elsewhere
  bool operator==(const Place&) const = default;
  auto operator<=>(const Place&) const = default;
};

enum class StepKind : std::uint8_t { send, recv, recv_reduce, copy, fold };

// Some blocks of a step with their storage: read at `from` (a fold: from the step's sources), written at `to`.
struct Part {
  Interval blocks;
  Place from;
  Place to;
};

struct Step {
  StepKind kind = StepKind::send;
  bool left = false;            // recv_reduce: the arriving value is the left operand
  std::int32_t peer = -1;       // send: to; recv and recv_reduce: from
  std::int32_t match = 0;       // the how-many-th message between this pair in this direction, from 0
  std::uint64_t waits = 0;      // bit d: must wait for the step d + 1 before this one to end
  std::int32_t first_part = 0;  // parts, in message order
  std::int32_t part_count = 0;
  std::int32_t first_source = 0;  // fold: part i takes source s from sources[first_source + i * source_count + s]
  std::int32_t source_count = 0;
};

struct Schedule {
  std::string name;  // of the algorithm with its parameters, such as "knomial(k=4)"
  int rank = 0;
  int size = 1;
  std::int64_t blocks = 1;
  bool in_place = false;
  bool token = false;
  std::int32_t aside_areas = 0;
  bool uses_scratch = false;
  std::vector<Step> steps;
  std::vector<Part> parts;
  std::vector<Place> sources;

  std::span<const Part> parts_of(const Step& step) const {
    return {parts.data() + step.first_part, static_cast<std::size_t>(step.part_count)};
  }
  std::span<const Place> sources_of(const Step& step, int part) const {
    return {sources.data() + step.first_source + part * step.source_count, static_cast<std::size_t>(step.source_count)};
  }
};

}  // namespace tutti
