// A second opinion on small schedules, as plain as can be and without a line in common with the checker: ranks take
// turns, each takes the first step that need not wait, values are written out as text, and conflicts are sought pair by
// pair. It says nothing of deadlock with synchronous sends.
#pragma once

#include <span>

#include "schedule/collective.hpp"
#include "schedule/schedule.hpp"

namespace tutti::testing {

// Whether one order, with sends that never block, ends with the right values in all outputs.
bool plain_run_is_right(const Collective& collective, std::span<const Schedule> schedules);

// Whether any two steps that touch the same storage, one of them writing, are connected by waits. For schedules that
// are shorter than the lookahead.
bool conflicts_are_connected(const Schedule& schedule);

// Whether step `later` waits for step `earlier`, if only by way of others.
bool is_connected(const Schedule& schedule, std::size_t earlier, std::size_t later);

}  // namespace tutti::testing
