// The events to come, in order of time; those of one instant in the order in which they were added. A radix heap
// (Ahuja, Mehlhorn, Orlin and Tarjan, 1990): time only moves forward, so an event moves down a few buckets instead of
// being compared with others, and a million events of one instant are one array.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "simulator/large_array.hpp"

namespace tutti::simulation {

struct Event {
  std::int64_t time = 0;  // picoseconds
  std::uint32_t subject = 0;
  std::uint32_t step = 0;
  std::uint32_t window = 0;
  std::uint32_t kind = 0;
};

class EventQueue {
 public:
  std::int64_t now() const { return now_; }

  // At now() or later.
  void push(const Event& event) {
    const auto bucket = static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(event.time ^ now_)));
    buckets_[bucket].push_back(event);
    filled_ |= bucket == 0 ? 0 : std::uint64_t{1} << (bucket - 1);
  }

  // The next event of this instant; false if there is none.
  bool take(Event& event) {
    if (taken_ == buckets_[0].size()) return false;
    event = buckets_[0][taken_++];
    return true;
  }
  // The one that will be taken `ahead` events later, to fetch what it concerns; null if it is not known.
  const Event* peek(std::size_t ahead) const {
    return taken_ + ahead < buckets_[0].size() ? &buckets_[0][taken_ + ahead] : nullptr;
  }

  bool empty() const { return filled_ == 0 && taken_ == buckets_[0].size(); }

  // Moves to the instant of the next event, once all of this one are taken. False if there is none.
  bool advance() {
    buckets_[0].clear();
    taken_ = 0;
    if (filled_ == 0) return false;
    const int bucket = std::countr_zero(filled_);
    filled_ &= filled_ - 1;
    LargeArray<Event>& lowest = buckets_[static_cast<std::size_t>(bucket) + 1];
    const auto [first, last] = std::minmax_element(
        lowest.begin(), lowest.end(), [](const Event& left, const Event& right) { return left.time < right.time; });
    now_ = first->time;
    if (last->time == now_) {
      std::swap(lowest, buckets_[0]);
      return true;
    }
    moving_.swap(lowest);
    for (const Event& event : moving_) push(event);
    moving_.clear();
    return true;
  }

 private:
  std::int64_t now_ = 0;
  std::size_t taken_ = 0;     // of bucket 0, which holds the events of now
  std::uint64_t filled_ = 0;  // bit b: bucket b + 1 holds events
  // Bucket b: events whose time differs from now first in bit b - 1.
  std::array<LargeArray<Event>, 65> buckets_;
  LargeArray<Event> moving_;
};

}  // namespace tutti::simulation
