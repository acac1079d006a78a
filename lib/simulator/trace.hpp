// What each rank did and when, for chrome://tracing and ui.perfetto.dev.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tutti::simulation {

enum class Activity : std::uint8_t { send, receive, combine, copy, flow };

struct TraceEntry {
  std::int64_t begin_ps = 0;
  std::int64_t end_ps = 0;
  std::int64_t bytes = 0;
  std::uint64_t message = 0;  // the same number at both ends of one
  std::uint32_t rank = 0;
  std::uint32_t peer = 0;  // of a send, receive or flow
  Activity activity = Activity::send;
};

// A million entries are 200 MB of text, about as much as the viewers take.
inline constexpr std::int64_t most_trace_entries = 1'000'000;

using Trace = std::vector<TraceEntry>;

// The JSON of the Trace Event Format: a thread for each rank, a slice for each entry, an arrow for each message. Flows
// overlap, so they stand in tracks of their own, those of one sender together.
std::string trace_json(const Trace& trace);

}  // namespace tutti::simulation
