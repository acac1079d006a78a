// The events to come, in order of time; those of one instant in the order in which they were added. A radix heap
// (Ahuja, Mehlhorn, Orlin and Tarjan, 1990): time only moves forward, so an event moves down a few buckets instead of
// being compared with others, and a million events of one instant are one array.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "simulator/large_array.hpp"

namespace tutti::simulation {

struct Event {
  std::int64_t time = 0;  // picoseconds
  std::uint32_t subject = 0;
  std::uint32_t step = 0;
  std::uint32_t window = 0;
  std::uint32_t kind = 0;
};

// Events in the order in which they were added, in chunks that all lists share: no list is copied when it grows, and
// memory that one has left is another's next.
class EventList {
 public:
  static constexpr std::size_t per_chunk = 512;
  using Chunk = std::array<Event, per_chunk>;

  class Pool {
   public:
    Chunk* take() {
      if (free_.empty()) {
        slabs_.emplace_back(next_slab_);
        next_slab_ = std::min(2 * next_slab_, most_of_slab);
        for (Chunk& chunk : slabs_.back()) free_.push_back(&chunk);
      }
      Chunk* const chunk = free_.back();
      free_.pop_back();
      return chunk;
    }
    void give(Chunk* chunk) { free_.push_back(chunk); }

   private:
    static constexpr std::size_t most_of_slab = 1024;  // 12 MB
    std::size_t next_slab_ = 1;
    std::vector<LargeArray<Chunk>> slabs_;  // own the chunks
    std::vector<Chunk*> free_;
  };

  std::size_t size() const { return size_; }
  Event& operator[](std::size_t at) { return (*chunks_[at / per_chunk])[at % per_chunk]; }
  const Event& operator[](std::size_t at) const { return (*chunks_[at / per_chunk])[at % per_chunk]; }
  void push(const Event& event, Pool& pool) {
    if (size_ == chunks_.size() * per_chunk) chunks_.push_back(pool.take());
    (*this)[size_++] = event;
  }
  void clear(Pool& pool) {
    for (Chunk* chunk : chunks_) pool.give(chunk);
    chunks_.clear();
    size_ = 0;
  }

 private:
  std::vector<Chunk*> chunks_;
  std::size_t size_ = 0;
};

class EventQueue {
 public:
  std::int64_t now() const { return now_; }

  // At now() or later.
  void push(const Event& event) {
    const auto bucket = static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(event.time ^ now_)));
    buckets_[bucket].push(event, pool_);
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
    buckets_[0].clear(pool_);
    taken_ = 0;
    if (filled_ == 0) return false;
    const int bucket = std::countr_zero(filled_);
    filled_ &= filled_ - 1;
    EventList& lowest = buckets_[static_cast<std::size_t>(bucket) + 1];
    std::int64_t first = lowest[0].time, last = first;
    for (std::size_t at = 1; at < lowest.size(); ++at) {
      first = std::min(first, lowest[at].time);
      last = std::max(last, lowest[at].time);
    }
    now_ = first;
    if (last == now_) {
      std::swap(lowest, buckets_[0]);
      return true;
    }
    std::swap(lowest, moving_);
    for (std::size_t at = 0; at < moving_.size(); ++at) push(moving_[at]);
    moving_.clear(pool_);
    return true;
  }

 private:
  std::int64_t now_ = 0;
  std::size_t taken_ = 0;     // of bucket 0, which holds the events of now
  std::uint64_t filled_ = 0;  // bit b: bucket b + 1 holds events
  EventList::Pool pool_;
  // Bucket b: events whose time differs from now first in bit b - 1.
  std::array<EventList, 65> buckets_;
  EventList moving_;
};

}  // namespace tutti::simulation
