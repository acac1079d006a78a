// Finds unordered accesses, cell by cell, without asking how the builder found the waits. It is enough to compare an
// access with the last write of its cell and a write with the reads since: what is ordered with those is ordered with
// all before them, because waiting is transitive.
#include <bit>
#include <limits>

#include "schedule/checker_parts.hpp"

namespace tutti::checking {

namespace {

// Bit d: ordered after the step d + 1 before it, by any chain of waits. Steps further back have ended anyway.
std::vector<std::uint64_t> closure(const Schedule& schedule) {
  std::vector<std::uint64_t> before(schedule.steps.size());
  for (std::size_t at = 0; at < before.size(); ++at) {
    const std::uint64_t waits = schedule.steps[at].waits;
    std::uint64_t all = waits;
    for (std::uint64_t left = waits; left != 0; left &= left - 1) {
      const int distance = std::countr_zero(left) + 1;
      if (distance < 64) all |= before[at - static_cast<std::size_t>(distance)] << distance;
    }
    before[at] = all;
  }
  return before;
}

constexpr std::int32_t nobody = std::numeric_limits<std::int32_t>::min() / 2;  // far enough back to be ordered

struct Access {
  std::int32_t writer = nobody;
  std::int32_t reader = nobody;  // the last since that write
  std::uint64_t earlier = 0;     // bit d: the step d before `reader` read as well
};

class Races {
 public:
  Races(const Schedule& schedule, const Cells& cells)
      : schedule_(schedule), cells_(cells), before_(closure(schedule)), accesses_(cells.count()) {}

  void check() {
    for (at_ = 0; at_ < schedule_.steps.size(); ++at_) {
      each_cell([&](std::size_t cell, std::int64_t block) { check_read(cell, block); },
                [&](std::size_t cell, std::int64_t block) { check_write(cell, block); });
      each_cell([&](std::size_t cell, std::int64_t) { note_read(cell); }, [](std::size_t, std::int64_t) {});
      each_cell([](std::size_t, std::int64_t) {},
                [&](std::size_t cell, std::int64_t block) { note_write(cell, block); });
    }
  }

 private:
  template <class Read, class Write>
  void each_cell(Read read, Write write) const {
    const Step& step = schedule_.steps[at_];
    for (int i = 0; i < step.part_count; ++i) {
      const Part& part = schedule_.parts_of(step)[static_cast<std::size_t>(i)];
      for (std::int64_t block = part.blocks.begin; block < part.blocks.end; ++block) {
        if (step.kind == StepKind::fold)
          for (Place place : schedule_.sources_of(step, i)) read(cells_(place, block), block);
        else if (step.kind != StepKind::recv)
          read(cells_(part.from, block), block);
        if (step.kind != StepKind::send) write(cells_(part.to, block), block);
      }
    }
  }

  std::int32_t here() const { return static_cast<std::int32_t>(at_); }

  void check_read(std::size_t cell, std::int64_t block) const {
    const std::int32_t distance = here() - accesses_[cell].writer;
    if (distance < lookahead && (before_[at_] >> (distance - 1) & 1) == 0)
      throw flaw(schedule_, at_, "it may read block {} before step {} has written it", block, accesses_[cell].writer);
  }

  void check_write(std::size_t cell, std::int64_t block) const {
    const Access& access = accesses_[cell];
    check_read(cell, block);
    const std::int32_t distance = here() - access.reader;
    if (distance >= lookahead) return;
    const std::uint64_t unordered = (access.earlier << (distance - 1)) & ~before_[at_] & ~(std::uint64_t{1} << 63);
    if (unordered != 0)
      throw flaw(schedule_, at_, "it may write block {} before step {} has read it", block,
                 here() - std::countr_zero(unordered) - 1);
  }

  void note_read(std::size_t cell) {
    Access& access = accesses_[cell];
    const std::int32_t distance = here() - access.reader;
    access.earlier = (distance < lookahead ? access.earlier << distance : 0) | 1;
    access.reader = here();
  }

  void note_write(std::size_t cell, std::int64_t block) {
    if (accesses_[cell].writer == here()) throw flaw(schedule_, at_, "it writes block {} twice", block);
    accesses_[cell] = {here(), nobody, 0};
  }

  const Schedule& schedule_;
  const Cells& cells_;
  std::vector<std::uint64_t> before_;
  std::vector<Access> accesses_;
  std::size_t at_ = 0;
};

}  // namespace

void check_races(const Schedule& schedule, const Cells& cells) { Races(schedule, cells).check(); }

}  // namespace tutti::checking
