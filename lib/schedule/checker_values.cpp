// Moves symbolic values along one topological order. Because there are no races, every order gives the same.
#include <algorithm>
#include <map>
#include <tuple>

#include "schedule/checker_parts.hpp"

namespace tutti::checking {

namespace {

// A bijection of 64-bit words that looks random (the finaliser of splitmix64).
std::uint64_t scramble(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

std::uint64_t fingerprint(std::int64_t rank) {
  return scramble(static_cast<std::uint64_t>(rank) * 0x9e3779b97f4a7c15U + 0x2545f4914f6cdd1dU);
}

// How far a value has come: combines and messages that follow one another.
struct Way {
  std::int32_t combines = -1;  // -1: nothing has been written here
  std::int32_t messages = 0;
};

Way longer(Way a, Way b) { return {std::max(a.combines, b.combines), std::max(a.messages, b.messages)}; }

// A block's value: its contributors as a sum of fingerprints, its expression as a hash that does not see commutation,
// and its contributors as an interval of ranks where they were combined in rank order.
struct Sum {
  std::uint64_t contributors = 0;
  std::uint64_t expression = 0;
  std::int32_t first = 0;
  std::int32_t last = -1;  // before `first`: not in rank order
  Way way;

  static Sum own(std::int64_t rank, int) {
    const auto at = static_cast<std::int32_t>(rank);
    return {fingerprint(rank), scramble(fingerprint(rank)), at, at + 1, {0, 0}};
  }
  void combine(const Sum& right) {
    const std::uint64_t low = std::min(expression, right.expression), high = std::max(expression, right.expression);
    expression = scramble(scramble(low) + high * 3);
    contributors += right.contributors;
    last = last == right.first && right.first < right.last && first < last ? right.last : first - 1;
    way = longer(way, right.way);
  }
};

// A token's value: who is known to have entered.
struct Entered {
  std::vector<std::uint64_t> ranks;
  Way way;

  static Entered own(std::int64_t rank, int size) {
    Entered entered{std::vector<std::uint64_t>(static_cast<std::size_t>(size + 63) / 64), {0, 0}};
    entered.ranks[static_cast<std::size_t>(rank) / 64] |= std::uint64_t{1} << (rank % 64);
    return entered;
  }
  void combine(const Entered& right) {
    for (std::size_t i = 0; i < ranks.size(); ++i) ranks[i] |= right.ranks[i];
    way = longer(way, right.way);
  }
  bool has(std::int64_t rank) const { return (ranks[static_cast<std::size_t>(rank) / 64] >> (rank % 64) & 1) != 0; }
};

template <class Value>
class Memory : public Listener {
 public:
  Memory(const Collective& collective, std::span<const Schedule> schedules, const Pairs& pairs,
         const std::vector<Cells>& cells)
      : schedules_(schedules), pairs_(pairs), cells_(cells), values_(schedules.size()), wires_(schedules.size()) {
    for (std::size_t rank = 0; rank < schedules.size(); ++rank) {
      values_[rank].resize(cells[rank].count());
      wires_[rank].assign(schedules[rank].steps.size(), -1);
      const auto number = static_cast<int>(rank);
      for (Interval interval : collective.before(number))
        for (std::int64_t block = interval.begin; block < interval.end; ++block)
          values_[rank][cells[rank]({Space::input, 0}, block)] = Value::own(number, collective.size);
    }
  }

  // A send reads at its start; what it carries must outlive its end, which may come before the receive's.
  void started(std::size_t rank, std::size_t at) override {
    const Step& step = schedules_[rank].steps[at];
    if (step.kind != StepKind::send) return;
    std::vector<Value>& wire = messages_[take_wire(rank, at)];
    wire.clear();
    for (const Part& part : schedules_[rank].parts_of(step))
      for (std::int64_t block = part.blocks.begin; block < part.blocks.end; ++block) {
        wire.push_back(read(rank, at, part.from, block));
        ++wire.back().way.messages;
      }
  }

  void ended(std::size_t rank, std::size_t at) override {
    const Schedule& schedule = schedules_[rank];
    const Step& step = schedule.steps[at];
    if (is_receive(step)) return arrive(rank, at);
    if (step.kind == StepKind::send) return;
    for (int i = 0; i < step.part_count; ++i) {
      const Part& part = schedule.parts_of(step)[static_cast<std::size_t>(i)];
      for (std::int64_t block = part.blocks.begin; block < part.blocks.end; ++block)
        write(rank, part.to, block,
              step.kind == StepKind::copy ? read(rank, at, part.from, block)
                                          : folded(rank, at, schedule.sources_of(step, i), block));
    }
  }

  // What lies there in the end; null if nothing was ever written.
  const Value* final_value(std::size_t rank, Place place, std::int64_t block) const {
    const Value& value = values_[rank][cells_[rank](place, block)];
    return value.way.combines < 0 ? nullptr : &value;
  }

 private:
  std::size_t take_wire(std::size_t rank, std::size_t at) {
    if (free_.empty()) {
      free_.push_back(messages_.size());
      messages_.emplace_back();
    }
    const std::size_t wire = free_.back();
    free_.pop_back();
    wires_[rank][at] = static_cast<std::int32_t>(wire);
    return wire;
  }

  void arrive(std::size_t rank, std::size_t at) {
    const Schedule& schedule = schedules_[rank];
    const Step& step = schedule.steps[at];
    const auto wire = static_cast<std::size_t>(
        wires_[static_cast<std::size_t>(step.peer)][static_cast<std::size_t>(pairs_[rank][at])]);
    auto arriving = messages_[wire].begin();
    for (const Part& part : schedule.parts_of(step))
      for (std::int64_t block = part.blocks.begin; block < part.blocks.end; ++block, ++arriving) {
        if (step.kind == StepKind::recv)
          write(rank, part.to, block, std::move(*arriving));
        else
          write(rank, part.to, block,
                step.left ? combined(std::move(*arriving), read(rank, at, part.from, block))
                          : combined(read(rank, at, part.from, block), *arriving));
      }
    free_.push_back(wire);
  }

  static Value combined(Value left, const Value& right) {
    left.combine(right);
    ++left.way.combines;
    return left;
  }

  // However many sources, a fold is one pass, so one combine deep.
  Value folded(std::size_t rank, std::size_t at, std::span<const Place> sources, std::int64_t block) const {
    Value value = read(rank, at, sources[0], block);
    for (Place place : sources.subspan(1)) value.combine(read(rank, at, place, block));
    if (sources.size() > 1) ++value.way.combines;
    return value;
  }

  const Value& read(std::size_t rank, std::size_t at, Place place, std::int64_t block) const {
    const Value& value = values_[rank][cells_[rank](place, block)];
    if (value.way.combines < 0) throw flaw(schedules_[rank], at, "it reads block {}, which is not there", block);
    return value;
  }

  void write(std::size_t rank, Place place, std::int64_t block, Value value) {
    values_[rank][cells_[rank](place, block)] = std::move(value);
  }

  std::span<const Schedule> schedules_;
  const Pairs& pairs_;
  const std::vector<Cells>& cells_;
  std::vector<std::vector<Value>> values_;
  std::vector<std::vector<std::int32_t>> wires_;  // of each send: which of messages_
  std::vector<std::vector<Value>> messages_;
  std::vector<std::size_t> free_;  // of messages_
};

// Sums of fingerprints of the ranks below.
std::vector<std::uint64_t> prefix_sums(int size) {
  std::vector<std::uint64_t> sums{0};
  for (int rank = 0; rank < size; ++rank) sums.push_back(sums.back() + fingerprint(rank));
  return sums;
}

template <class... Args>
Error wrong(const Schedule& schedule, std::int64_t block, fmt::format_string<Args...> format, Args&&... args) {
  return error(TUTTI_ERROR_INTERNAL, "{} on {} ranks: rank {}, block {} in the end: {}", schedule.name, schedule.size,
               schedule.rank, block, fmt::format(format, std::forward<Args>(args)...));
}

// Ranks that want the same contributions of a block must have evaluated the same expression.
class Expressions {
 public:
  explicit Expressions(std::int64_t blocks) : first_(static_cast<std::size_t>(blocks)) {}

  void compare(const Schedule& schedule, std::int64_t block, Contributors who, std::uint64_t expression) {
    Seen& first = first_[static_cast<std::size_t>(block)];
    if (first.rank < 0) first = {who, expression, schedule.rank};
    // Most collectives want the same of a block everywhere; a scan does not.
    const Seen& seen =
        first.who == who
            ? first
            : others_.try_emplace({block, who.first, who.last}, Seen{who, expression, schedule.rank}).first->second;
    if (seen.expression != expression)
      throw wrong(schedule, block, "it was combined in another way than on rank {}, so bits may differ", seen.rank);
  }

 private:
  struct Seen {
    Contributors who;
    std::uint64_t expression = 0;
    int rank = -1;
  };
  std::vector<Seen> first_;  // by block
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, Seen> others_;
};

void note(Proof& proof, Way way) {
  proof.depth = std::max<std::int64_t>(proof.depth, way.combines);
  proof.rounds = std::max<std::int64_t>(proof.rounds, way.messages);
}

template <class Visit>
void each_wanted(const Collective& collective, std::span<const Schedule> schedules, Visit visit) {
  for (std::size_t rank = 0; rank < schedules.size(); ++rank)
    for (Interval interval : collective.after(static_cast<int>(rank)))
      for (std::int64_t block = interval.begin; block < interval.end; ++block)
        visit(rank, block, collective.contributors(static_cast<int>(rank), block));
}

void check_sums(const Collective& collective, std::span<const Schedule> schedules, const Memory<Sum>& memory,
                Proof& proof) {
  const std::vector<std::uint64_t> below = prefix_sums(collective.size);
  Expressions expressions(collective.blocks);
  each_wanted(collective, schedules, [&](std::size_t rank, std::int64_t block, Contributors who) {
    const Schedule& schedule = schedules[rank];
    const Sum* value = memory.final_value(rank, {Space::output, 0}, block);
    if (value == nullptr) throw wrong(schedule, block, "the output was never written");
    if (value->contributors != below[static_cast<std::size_t>(who.last)] - below[static_cast<std::size_t>(who.first)])
      throw wrong(schedule, block, "it does not hold each contribution of ranks {} to {} exactly once", who.first,
                  who.last - 1);
    if (collective.ordered && (value->first != who.first || value->last != who.last))
      throw wrong(schedule, block, "contributions were not combined in rank order");
    expressions.compare(schedule, block, who, value->expression);
    note(proof, value->way);
  });
}

// A token lies in the output, or still in the input where nothing came. It has no bytes, so no depth.
void check_tokens(const Collective& collective, std::span<const Schedule> schedules, const Memory<Entered>& memory,
                  Proof& proof) {
  each_wanted(collective, schedules, [&](std::size_t rank, std::int64_t block, Contributors who) {
    const Entered* value = memory.final_value(rank, {Space::output, 0}, block);
    if (value == nullptr) value = memory.final_value(rank, {Space::input, 0}, block);
    for (std::int64_t other = who.first; other < who.last; ++other)
      if (value == nullptr || !value->has(other))
        throw wrong(schedules[rank], block, "it does not know that rank {} has entered", other);
    note(proof, {0, value->way.messages});
  });
}

}  // namespace

void check_values(const Collective& collective, std::span<const Schedule> schedules, const Pairs& pairs,
                  const std::vector<Cells>& cells, Proof& proof) {
  if (collective.token) {
    Memory<Entered> memory(collective, schedules, pairs, cells);
    follow_order(schedules, pairs, true, memory);
    check_tokens(collective, schedules, memory, proof);
  } else {
    Memory<Sum> memory(collective, schedules, pairs, cells);
    follow_order(schedules, pairs, true, memory);
    check_sums(collective, schedules, memory, proof);
  }
}

}  // namespace tutti::checking
