// The second opinion; see plain_run.hpp.
#include "tests/unit/plain_run.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>

namespace tutti::testing {

namespace {

struct Value {
  std::string expression;  // up to commutation
  std::vector<int> ranks;  // from left to right
};

using Cell = std::tuple<Space, int, std::int64_t>;
using Message = std::vector<std::pair<std::int64_t, Value>>;  // block, value

Value combine(const Value& left, const Value& right) {
  Value sum{"(" + std::min(left.expression, right.expression) + "+" + std::max(left.expression, right.expression) + ")",
            left.ranks};
  sum.ranks.insert(sum.ranks.end(), right.ranks.begin(), right.ranks.end());
  return sum;
}

std::vector<std::int64_t> listed(const Blocks& blocks) {
  std::vector<std::int64_t> list;
  for (Interval interval : blocks)
    for (std::int64_t block = interval.begin; block < interval.end; ++block) list.push_back(block);
  return list;
}

class Rank {
 public:
  Rank(const Collective& collective, const Schedule& schedule) : schedule_(schedule) {
    for (std::int64_t block : listed(collective.after(schedule.rank))) wanted_.insert(block);
    for (std::int64_t block : listed(collective.before(schedule.rank)))
      memory_[cell({Space::input, 0}, block)] = {std::to_string(schedule.rank), {schedule.rank}};
  }

  // The first step that has not run, need not wait, and of which `arrived` says that its message is there; null if
  // none.
  template <class Arrived>
  const Step* next(Arrived arrived) {
    done_.resize(schedule_.steps.size());
    for (next_ = 0; next_ < done_.size(); ++next_) {
      bool may = !done_[next_] && arrived(step());
      for (std::size_t before = 0; before < next_; ++before)
        if (next_ - before <= 64 && (step().waits >> (next_ - before - 1) & 1) != 0) may = may && done_[before];
      if (may) return &step();
    }
    return nullptr;
  }

  bool done() const {
    return std::all_of(done_.begin(), done_.end(), [](bool done) { return done; });
  }

  // Runs the step that next() gave; false where something is read that is not there. `message`: filled by a send, used
  // by a receive.
  bool take(Message& message) {
    std::size_t arrived = 0;
    for (int i = 0; i < step().part_count; ++i) {
      const Part& part = schedule_.parts_of(step())[static_cast<std::size_t>(i)];
      for (std::int64_t block = part.blocks.begin; block < part.blocks.end; ++block)
        if (!take_block(i, part, block, message, arrived)) return false;
    }
    done_[next_] = true;
    return step().kind == StepKind::send || arrived == message.size();
  }

  std::optional<Value> read(Place place, std::int64_t block) const {
    const auto found = memory_.find(cell(place, block));
    return found == memory_.end() ? std::nullopt : std::optional<Value>(found->second);
  }

 private:
  const Step& step() const { return schedule_.steps[next_]; }

  Cell cell(Place place, std::int64_t block) const {
    const bool joined = schedule_.in_place && place.space == Space::input && wanted_.contains(block);
    return {joined ? Space::output : place.space, place.area, block};
  }

  bool take_block(int part_index, const Part& part, std::int64_t block, Message& message, std::size_t& arrived) {
    std::vector<Place> reads;
    if (step().kind == StepKind::fold)
      for (Place place : schedule_.sources_of(step(), part_index)) reads.push_back(place);
    else if (step().kind != StepKind::recv)
      reads.push_back(part.from);
    std::vector<Value> values;
    for (Place place : reads) {
      const std::optional<Value> value = read(place, block);
      if (!value) return false;
      values.push_back(*value);
    }
    if (step().kind == StepKind::send) {
      message.push_back({block, values[0]});
      return true;
    }
    if (step().kind == StepKind::recv || step().kind == StepKind::recv_reduce) {
      if (arrived >= message.size() || message[arrived].first != block) return false;
      values.insert(step().left ? values.begin() : values.end(), message[arrived++].second);
    }
    memory_[cell(part.to, block)] = std::accumulate(values.begin() + 1, values.end(), values[0], combine);
    return true;
  }

  const Schedule& schedule_;
  std::set<std::int64_t> wanted_;
  std::map<Cell, Value> memory_;
  std::vector<bool> done_;
  std::size_t next_ = 0;
};

bool receives(const Step& step) { return step.kind == StepKind::recv || step.kind == StepKind::recv_reduce; }

bool run(std::vector<Rank>& ranks) {
  std::map<std::tuple<int, int, int>, Message> wires;  // from, to, number
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t at = 0; at < ranks.size(); ++at) {
      const int me = static_cast<int>(at);
      const Step* step = ranks[at].next([&](const Step& wanted) {
        return !receives(wanted) || wires.contains({wanted.peer, me, wanted.match});
      });
      if (step == nullptr) continue;
      Message message;
      if (receives(*step)) message = std::move(wires.extract({step->peer, me, step->match}).mapped());
      if (!ranks[at].take(message)) return false;
      if (step->kind == StepKind::send) wires[{me, step->peer, step->match}] = std::move(message);
      moved = true;
    }
  }
  return wires.empty() && std::all_of(ranks.begin(), ranks.end(), [](const Rank& rank) { return rank.done(); });
}

bool is_right(const Collective& collective, const Value& value, Contributors who) {
  std::vector<int> wanted(static_cast<std::size_t>(who.last - who.first));
  std::iota(wanted.begin(), wanted.end(), static_cast<int>(who.first));
  std::vector<int> ranks = value.ranks;
  if (!collective.ordered) std::sort(ranks.begin(), ranks.end());
  if (collective.token) ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks == wanted;
}

struct Access {
  Place place;
  Interval blocks;
  bool writes;
};

std::vector<Access> accesses_of(const Schedule& schedule, const Step& step) {
  std::vector<Access> list;
  for (int i = 0; i < step.part_count; ++i) {
    const Part& part = schedule.parts_of(step)[static_cast<std::size_t>(i)];
    if (step.kind == StepKind::fold)
      for (Place place : schedule.sources_of(step, i)) list.push_back({place, part.blocks, false});
    else if (step.kind != StepKind::recv)
      list.push_back({part.from, part.blocks, false});
    if (step.kind != StepKind::send) list.push_back({part.to, part.blocks, true});
  }
  return list;
}

bool conflict(const std::vector<Access>& one, const std::vector<Access>& other) {
  for (const Access& a : one)
    for (const Access& b : other)
      if ((a.writes || b.writes) && a.place == b.place && a.blocks.begin < b.blocks.end &&
          b.blocks.begin < a.blocks.end)
        return true;
  return false;
}

}  // namespace

bool plain_run_is_right(const Collective& collective, std::span<const Schedule> schedules) {
  std::vector<Rank> ranks;
  for (const Schedule& schedule : schedules) ranks.emplace_back(collective, schedule);
  if (!run(ranks)) return false;
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::string> expressions;
  for (std::size_t at = 0; at < ranks.size(); ++at)
    for (std::int64_t block : listed(collective.after(static_cast<int>(at)))) {
      const Contributors who = collective.contributors(static_cast<int>(at), block);
      std::optional<Value> value = ranks[at].read({Space::output, 0}, block);
      if (!value && collective.token) value = ranks[at].read({Space::input, 0}, block);
      if (!value || !is_right(collective, *value, who)) return false;
      const auto seen = expressions.try_emplace({block, who.first, who.last}, value->expression).first;
      if (!collective.token && seen->second != value->expression) return false;
    }
  return true;
}

bool is_connected(const Schedule& schedule, std::size_t earlier, std::size_t later) {
  std::vector<bool> reached(schedule.steps.size());
  reached[earlier] = true;
  for (std::size_t at = earlier + 1; at <= later; ++at)
    for (std::size_t before = earlier; before < at; ++before)
      if (reached[before] && at - before <= 64 && (schedule.steps[at].waits >> (at - before - 1) & 1) != 0)
        reached[at] = true;
  return reached[later];
}

bool conflicts_are_connected(const Schedule& schedule) {
  std::vector<std::vector<Access>> accesses;
  for (const Step& step : schedule.steps) accesses.push_back(accesses_of(schedule, step));
  for (std::size_t later = 0; later < accesses.size(); ++later)
    for (std::size_t earlier = 0; earlier < later; ++earlier)
      if (conflict(accesses[earlier], accesses[later]) && !is_connected(schedule, earlier, later)) return false;
  return true;
}

}  // namespace tutti::testing
