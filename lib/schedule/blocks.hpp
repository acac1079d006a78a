// Sets of blocks as interval lists. A block is a position in one logical vector, not bytes; a step of a
// circulant schedule names half of a million blocks with two intervals.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace tutti {

struct Interval {
  std::int64_t begin = 0;
  std::int64_t end = 0;  // one past the last
  std::int64_t count() const { return end - begin; }
  bool operator==(const Interval&) const = default;
};

// An ordered list of disjoint intervals: the order is the order of the bytes in a message.
class Blocks {
 public:
  Blocks() = default;
  Blocks(std::initializer_list<Interval> list) {
    for (Interval interval : list) add(interval);
  }

  // Appends, joining with the last interval where they touch. Empty intervals vanish.
  void add(Interval interval) {
    if (interval.count() <= 0) return;
    if (!intervals_.empty() && intervals_.back().end == interval.begin)
      intervals_.back().end = interval.end;
    else
      intervals_.push_back(interval);
  }
  void add(const Blocks& other) {
    for (Interval interval : other) add(interval);
  }

  bool empty() const { return intervals_.empty(); }
  std::int64_t count() const {
    std::int64_t sum = 0;
    for (Interval interval : intervals_) sum += interval.count();
    return sum;
  }
  std::vector<Interval>::const_iterator begin() const { return intervals_.begin(); }
  std::vector<Interval>::const_iterator end() const { return intervals_.end(); }
  bool operator==(const Blocks&) const = default;

 private:
  std::vector<Interval> intervals_;
};

}  // namespace tutti
