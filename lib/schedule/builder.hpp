// Builds one rank's schedule while an algorithm speaks: finds where each block lives (its home), which steps
// must wait for which (hazards between accesses to the same storage), and the copies that the collective's
// after-statement still needs. All of it by interval, so the cost follows the steps and not the blocks.
// What an algorithm says is virtual: the simulator listens to a million ranks without building a schedule for each.
#pragma once

#include <map>
#include <vector>

#include "schedule/collective.hpp"
#include "schedule/schedule.hpp"

namespace tutti {

// Block positions mapped to values, by interval: begin -> (end, value). Gaps are allowed.
template <class Value>
class IntervalMap {
 public:
  struct Entry {
    std::int64_t end;
    Value value;
  };

  // Makes `interval` begin and end at entry borders, so that entries inside can be changed alone.
  void cut(Interval interval) {
    split(interval.begin);
    split(interval.end);
  }

  // Calls visit(Interval, Value&) for each entry inside `interval`, which is cut first.
  template <class Visit>
  void inside(Interval interval, Visit visit) {
    cut(interval);
    for (auto at = entries_.lower_bound(interval.begin); at != entries_.end() && at->first < interval.end; ++at)
      visit(Interval{at->first, at->second.end}, at->second.value);
  }

  void assign(Interval interval, Value value) {
    cut(interval);
    entries_.erase(entries_.lower_bound(interval.begin), entries_.lower_bound(interval.end));
    entries_.emplace(interval.begin, Entry{interval.end, std::move(value)});
  }

 private:
  void split(std::int64_t at) {
    auto next = entries_.upper_bound(at);
    if (next == entries_.begin()) return;
    auto entry = std::prev(next);
    if (entry->first == at || entry->second.end <= at) return;
    Entry tail{entry->second.end, entry->second.value};
    entry->second.end = at;
    entries_.emplace_hint(next, at, std::move(tail));
  }

  std::map<std::int64_t, Entry> entries_;
};

// Where some blocks lie: what recv_aside and here return, for a later send or fold.
struct Held {
  Blocks blocks;
  std::vector<Part> parts;  // `from` says where
};

class Builder {
 public:
  // `rank` of the collective's ranks. Throws TUTTI_ERROR_INTERNAL where an algorithm asks for a block that
  // this rank does not hold: the message names algorithm, rank and block.
  Builder(const Collective& collective, int rank, bool in_place, std::string name);
  virtual ~Builder() = default;

  virtual void send(int to, const Blocks& blocks);
  virtual void send(int to, const Held& held);
  virtual void recv(int source, const Blocks& blocks);
  virtual void recv_reduce(int source, const Blocks& blocks, bool left);
  virtual Held recv_aside(int source, const Blocks& blocks);
  virtual Held here(const Blocks& blocks);
  virtual void fold(std::span<const Held* const> sources, const Blocks& blocks);

  // Adds the last copies and hands the schedule over; the builder is then empty.
  Schedule finish();

  int rank() const { return schedule_.rank; }

 protected:
  // For one that only listens: it builds nothing and overrides all of the above.
  explicit Builder(int rank) { schedule_.rank = rank; }
  void listen_as(int rank) { schedule_.rank = rank; }

 private:
  struct Access {
    std::int32_t writer = -1;
    std::vector<std::int32_t> readers;  // since that write
  };

  bool wanted_is_output(std::int64_t block) const;
  Place settled(Place place, bool wanted) const;
  template <class Visit>
  void by_wish(Interval interval, Visit visit) const;
  void locate(const Blocks& blocks, std::vector<Part>& parts);
  std::vector<Part> landing(const std::vector<Part>& parts) const;
  void note_read(Step& step, Place place, Interval interval);
  void note_write(Step& step, Place place, Interval interval);
  void wait_for(Step& step, std::int32_t earlier) const;
  void append(Step step, const std::vector<Part>& parts, std::vector<Place> sources = {});
  void settle(const std::vector<Part>& parts);

  Schedule schedule_;
  const Collective* collective_ = nullptr;
  std::vector<Interval> wanted_;  // after(rank), sorted
  IntervalMap<Place> homes_;
  std::map<Place, IntervalMap<Access>> accesses_;
  std::map<int, std::int32_t> sent_, received_;  // messages so far, by peer
};

}  // namespace tutti
