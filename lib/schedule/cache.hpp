// Schedules are built once and shared by all communicators of a process. The cache is bounded by the steps that it
// holds and lets the least recently used go first; who still runs a schedule keeps it alive.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "schedule/schedule.hpp"

namespace tutti {

// Key: what a schedule depends on, comparable and hashable by Hash. Every member may be called by several threads at
// once.
template <class Key, class Hash = std::hash<Key>>
class ScheduleCache {
 public:
  // A step takes about 100 bytes with its parts, so a million of them about 100 MB.
  explicit ScheduleCache(std::size_t most_steps = 1'000'000) : most_steps_(most_steps) {}

  // The schedule of this key, built by `build()` where it is not here. Building happens outside the lock: two threads
  // that miss at once both build, and the first one's is kept. What `build` throws goes through and leaves no trace.
  template <class Build>
  std::shared_ptr<const Schedule> get(const Key& key, Build build) {
    if (auto found = find(key)) return found;
    return insert(key, std::make_shared<const Schedule>(build()));
  }

  std::size_t steps() const {
    std::lock_guard lock(mutex_);
    return steps_;
  }
  std::size_t count() const {
    std::lock_guard lock(mutex_);
    return places_.size();
  }

 private:
  using Entry = std::pair<Key, std::shared_ptr<const Schedule>>;

  std::shared_ptr<const Schedule> find(const Key& key) {
    std::lock_guard lock(mutex_);
    auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->second;
  }

  std::shared_ptr<const Schedule> insert(const Key& key, std::shared_ptr<const Schedule> schedule) {
    std::lock_guard lock(mutex_);
    if (auto found = places_.find(key); found != places_.end()) return found->second->second;
    if (weight(*schedule) > most_steps_) return schedule;  // it would push out all others and still not fit
    steps_ += weight(*schedule);
    entries_.emplace_front(key, std::move(schedule));
    places_.emplace(key, entries_.begin());
    while (steps_ > most_steps_) drop_oldest();
    return entries_.front().second;
  }

  void drop_oldest() {
    steps_ -= weight(*entries_.back().second);
    places_.erase(entries_.back().first);
    entries_.pop_back();
  }

  // A schedule without steps still takes a place.
  static std::size_t weight(const Schedule& schedule) { return schedule.steps.size() + 1; }

  const std::size_t most_steps_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<Key, typename std::list<Entry>::iterator, Hash> places_;
  std::size_t steps_ = 0;
};

}  // namespace tutti
