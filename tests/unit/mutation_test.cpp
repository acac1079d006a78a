// Every algorithm at p = 5 and 8 is spoilt in every step of every rank: dropped, exchanged with the next, moved, sent
// to somebody else, given other blocks, another side, another storage, another source, one dependency less. The checker
// must refuse every mutant that is not equivalent, and the equivalence of those that it lets pass is shown by a second
// opinion (plain_run.hpp). Message numbers are counted anew in each mutant, so that they do not give it away.
#include <fmt/format.h>

#include <map>
#include <numeric>

#include "algorithms/hierarchy.hpp"
#include "error.hpp"
#include "tests/catch.hpp"
#include "tests/unit/plain_run.hpp"
#include "tests/unit/proving.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

struct Count {
  std::int64_t refused = 0;
  std::int64_t equivalent = 0;
};

void number_messages(Schedule& schedule) {
  std::map<std::pair<bool, int>, std::int32_t> counts;
  for (Step& step : schedule.steps)
    if (step.peer >= 0) step.match = counts[{step.kind == StepKind::send, step.peer}]++;
}

// The schedule with its steps in another order, or without some. Dependencies stay between the same steps and turn
// around where their steps changed places.
Schedule rearranged(const Schedule& schedule, const std::vector<std::size_t>& order) {
  Schedule result = schedule;
  result.steps.clear();
  for (std::size_t from : order) result.steps.push_back(schedule.steps[from]);
  for (Step& step : result.steps) step.waits = 0;
  for (std::size_t at = 0; at < order.size(); ++at)
    for (std::size_t before = 0; before < at; ++before) {
      const std::size_t low = std::min(order[at], order[before]), high = std::max(order[at], order[before]);
      if (high - low > 64 || (schedule.steps[high].waits >> (high - low - 1) & 1) == 0) continue;
      if (at - before <= 64) result.steps[at].waits |= std::uint64_t{1} << (at - before - 1);
    }
  number_messages(result);
  return result;
}

class Mutation {
 public:
  explicit Mutation(const ScheduleKey& key) : collective_(collective_of(key)), schedules_(all_ranks(key)), key_(key) {
    REQUIRE_NOTHROW(prove(collective_, schedules_));
    REQUIRE(plain_run_is_right(collective_, schedules_));
  }

  Count all_mutants() {
    for (rank_ = 0; rank_ < schedules_.size(); ++rank_)
      for (std::size_t at = 0; at < schedules_[rank_].steps.size(); ++at) {
        reorder(at);
        if (schedules_[rank_].steps[at].peer >= 0) change_peer(at);
        for (int part = 0; part < schedules_[rank_].steps[at].part_count; ++part) change_part(at, part);
        if (schedules_[rank_].steps[at].kind == StepKind::recv_reduce && collective_.ordered) flip_side(at);
        for (std::uint64_t left = schedules_[rank_].steps[at].waits; left != 0; left &= left - 1)
          strip_wait(at, std::countr_zero(left));
      }
    return count_;
  }

 private:
  // Judges what is in schedules_ now. Who survives must be right in the second opinion.
  void judge(const char* what, std::size_t at) {
    try {
      prove(collective_, schedules_);
    } catch (const Error&) {
      ++count_.refused;
      return;
    }
    ++count_.equivalent;
    bool connected = true;
    for (const Schedule& schedule : schedules_) connected = connected && conflicts_are_connected(schedule);
    INFO(schedules_[0].name << " for " << collective_.name << " on " << collective_.size
                            << (key_.in_place ? " in place" : "") << ", rank " << rank_ << ": step " << at << " "
                            << what);
    CHECK(connected);
    CHECK(plain_run_is_right(collective_, schedules_));
  }

  // Judges with a mutant in the place of one rank's schedule, which is then put back.
  void judge(Schedule mutant, const char* what, std::size_t at) {
    std::swap(schedules_[rank_], mutant);
    judge(what, at);
    std::swap(schedules_[rank_], mutant);
  }

  void reorder(std::size_t at) {
    const Schedule& schedule = schedules_[rank_];
    std::vector<std::size_t> order(schedule.steps.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto here = order.begin() + static_cast<std::ptrdiff_t>(at);
    std::vector<std::size_t> dropped = order, exchanged = order, first = order, last = order;
    dropped.erase(dropped.begin() + static_cast<std::ptrdiff_t>(at));
    judge(rearranged(schedule, dropped), "dropped", at);
    if (at + 1 < order.size()) {
      std::swap(exchanged[at], exchanged[at + 1]);
      judge(rearranged(schedule, exchanged), "exchanged with the next", at);
    }
    std::rotate(first.begin(), first.begin() + (here - order.begin()), first.begin() + (here - order.begin()) + 1);
    if (at > 1) judge(rearranged(schedule, first), "moved to the front", at);
    std::rotate(last.begin() + (here - order.begin()), last.begin() + (here - order.begin()) + 1, last.end());
    if (at + 2 < order.size()) judge(rearranged(schedule, last), "moved to the end", at);
  }

  void change_peer(std::size_t at) {
    for (int peer = 0; peer < collective_.size; ++peer) {
      if (peer == static_cast<int>(rank_) || peer == schedules_[rank_].steps[at].peer) continue;
      Schedule mutant = schedules_[rank_];
      mutant.steps[at].peer = peer;
      number_messages(mutant);
      judge(std::move(mutant), "with another peer", at);
    }
  }

  void change_part(std::size_t at, int index) {
    const Schedule& schedule = schedules_[rank_];
    const Step& step = schedule.steps[at];
    const auto number = static_cast<std::size_t>(step.first_part + index);
    if (schedule.blocks > 1) change_blocks(at, number);
    for (Space space : {Space::input, Space::output, Space::scratch}) {
      Schedule mutant = schedule;
      mutant.uses_scratch = true;
      if (step.kind != StepKind::recv && step.kind != StepKind::fold && mutant.parts[number].from.space != space) {
        mutant.parts[number].from = {space, 0};
        judge(mutant, "reads elsewhere", at);
      }
      mutant = schedule;
      mutant.uses_scratch = true;
      if (step.kind != StepKind::send && mutant.parts[number].to.space != space) {
        mutant.parts[number].to = {space, 0};
        judge(mutant, "writes elsewhere", at);
      }
    }
    for (int source = 0; source + 1 < step.source_count; ++source) {
      const auto first = static_cast<std::size_t>(step.first_source + index * step.source_count + source);
      Schedule mutant = schedule;
      mutant.sources[first] = mutant.sources[first + 1];
      judge(mutant, "folds a source twice", at);
      mutant.sources[first + 1] = schedule.sources[first];
      if (collective_.ordered) judge(mutant, "folds in another order", at);
    }
  }

  // At this end alone, and at both ends of the message.
  void change_blocks(std::size_t at, std::size_t number) {
    const std::int64_t blocks = schedules_[rank_].blocks;
    const Interval old = schedules_[rank_].parts[number].blocks;
    const std::int64_t begin = old.end < blocks ? old.begin + 1 : 0;
    if (begin == old.begin) return;
    const Interval changed{begin, begin + old.count()};
    schedules_[rank_].parts[number].blocks = changed;
    judge("with other blocks", at);
    const Step& step = schedules_[rank_].steps[at];
    for (Schedule& other : schedules_) {
      if (other.rank != step.peer || step.kind != StepKind::send) continue;
      const Schedule before = other;
      for (Step& end : other.steps)
        if (end.kind != StepKind::send && end.peer == static_cast<int>(rank_) && end.match == step.match)
          for (int i = 0; i < end.part_count; ++i) {
            Part& part = other.parts[static_cast<std::size_t>(end.first_part + i)];
            if (part.blocks == old) part.blocks = changed;
          }
      judge("with other blocks at both ends", at);
      other = before;
    }
    schedules_[rank_].parts[number].blocks = old;
  }

  void flip_side(std::size_t at) {
    Schedule mutant = schedules_[rank_];
    mutant.steps[at].left = !mutant.steps[at].left;
    judge(std::move(mutant), "on the other side", at);
  }

  void strip_wait(std::size_t at, int bit) {
    Schedule mutant = schedules_[rank_];
    mutant.steps[at].waits &= ~(std::uint64_t{1} << bit);
    judge(std::move(mutant), "with a dependency less", at);
  }

  Collective collective_;
  std::vector<Schedule> schedules_;
  ScheduleKey key_;
  std::size_t rank_ = 0;
  Count count_;
};

}  // namespace

// In place and out of place; where order can be kept, in order and not, and a root in the middle.
std::vector<ScheduleKey> variants(const Algorithm& algorithm, int size) {
  std::vector<ScheduleKey> keys;
  const std::int64_t parameter = algorithm.parameter.name == "k" ? 3 : algorithm.parameter.fallback;
  for (bool in_place : {false, true}) {
    if (in_place && !runs_in_place(algorithm.kind)) continue;
    keys.push_back({&algorithm, parameter, size, 0, in_place, false, 0});
    if (algorithm.keeps_order && algorithm.kind != Kind::broadcast && algorithm.kind != Kind::allgather &&
        algorithm.kind != Kind::alltoall)
      keys.push_back({&algorithm, parameter, size, 0, in_place, true, algorithm.kind == Kind::reduce ? 2 : 0});
  }
  return keys;
}

TEST_CASE("the checker refuses every mutant of every algorithm that is not equivalent") {
  Count total;
  for (const Algorithm& algorithm : catalogue())
    for (int size : {5, 8}) {
      Count count;
      for (const ScheduleKey& key : variants(algorithm, size)) {
        const Count more = Mutation(key).all_mutants();
        count.refused += more.refused;
        count.equivalent += more.equivalent;
      }
      fmt::print("{:<15}{:<20}p = {}: {:>6} mutants refused, {:>5} equivalent\n", kind_name(algorithm.kind),
                 algorithm.name, size, count.refused, count.equivalent);
      CHECK(count.refused > count.equivalent);
      total.refused += count.refused;
      total.equivalent += count.equivalent;
    }
  fmt::print("all: {} mutants refused, {} equivalent\n", total.refused, total.equivalent);
}

namespace {

ScheduleKey hierarchy(Kind kind, Form form, std::string_view inner, std::string_view outer, const ShapePtr& shape,
                      bool ordered, int root) {
  ScheduleKey key{&find_algorithm(kind, outer), 0, shape->ranks(), 0, true, ordered, root, {}, shape};
  key.parameter = key.algorithm->parameter.fallback;
  for (const Layer& layer : inner_layers(kind, form))
    if (layer.inner == inner) key.layers = {layer};
  REQUIRE(key.layers.size() == 1);
  return key;
}

}  // namespace

TEST_CASE("the checker refuses every mutant of hierarchies that is not equivalent") {
  const ShapePtr ragged = placed({3, 1, 2}, Placement::cyclic), blocks = placed({2, 3}, Placement::block);
  const ScheduleKey keys[] = {
      hierarchy(Kind::allreduce, Form::lanes, "two-shot", "circulant", ragged, false, 0),
      hierarchy(Kind::allreduce, Form::leader, "binomial", "recursive-doubling", blocks, true, 0),
      hierarchy(Kind::broadcast, Form::lanes, "ring", "binomial", ragged, false, 3),
      hierarchy(Kind::reduce, Form::lanes, "one-shot", "two-shot", blocks, true, 3),
      hierarchy(Kind::reduce_scatter, Form::lanes, "circulant", "ring", ragged, false, 0),
      hierarchy(Kind::allgather, Form::leader, "knomial", "circulant", ragged, false, 0),
      hierarchy(Kind::barrier, Form::leader, "one-shot", "dissemination", ragged, false, 0),
  };
  for (const ScheduleKey& key : keys) {
    const Count count = Mutation(key).all_mutants();
    fmt::print("{:<15}{:<50}: {:>6} mutants refused, {:>5} equivalent\n", kind_name(key.algorithm->kind),
               hierarchy_name(key.layers, {key.algorithm, key.parameter}), count.refused, count.equivalent);
    CHECK(count.refused > count.equivalent);
  }
}
