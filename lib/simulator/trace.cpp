// See trace.hpp.
#include "simulator/trace.hpp"

#include <fmt/format.h>

#include <iterator>

namespace tutti::simulation {

namespace {

constexpr double ps_per_us = 1e6;

std::string name_of(const TraceEntry& entry) {
  switch (entry.activity) {
    case Activity::send:
      return fmt::format("send {} B to {}", entry.bytes, entry.peer);
    case Activity::receive:
      return fmt::format("receive {} B from {}", entry.bytes, entry.peer);
    case Activity::combine:
      return fmt::format("combine {} B", entry.bytes);
    case Activity::copy:
      return fmt::format("copy {} B", entry.bytes);
    case Activity::flow:
      return fmt::format("rank {} sends", entry.rank);
  }
  return "?";
}

template <class Out>
void write_flow(Out out, const TraceEntry& entry) {
  const auto write = [&](char phase, std::int64_t ps, const std::string& more) {
    fmt::format_to(out,
                   ",\n{{\"ph\": \"{}\", \"pid\": 0, \"tid\": {}, \"ts\": {:.6f}, \"id\": {}, \"cat\": \"flow\", "
                   "\"name\": \"{}\"{}}}",
                   phase, entry.rank, static_cast<double>(ps) / ps_per_us, entry.message, name_of(entry), more);
  };
  write('b', entry.begin_ps, fmt::format(", \"args\": {{\"to\": {}, \"bytes\": {}}}", entry.peer, entry.bytes));
  write('e', entry.end_ps, "");
}

}  // namespace

std::string trace_json(const Trace& trace) {
  std::string text = "{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n";
  auto out = std::back_inserter(text);
  fmt::format_to(out, "{{\"ph\": \"M\", \"pid\": 0, \"name\": \"process_name\", \"args\": {{\"name\": \"ranks\"}}}}");
  for (const TraceEntry& entry : trace) {
    if (entry.activity == Activity::flow) {
      write_flow(out, entry);
      continue;
    }
    const double begin = static_cast<double>(entry.begin_ps) / ps_per_us;
    fmt::format_to(out,
                   ",\n{{\"ph\": \"X\", \"pid\": 0, \"tid\": {}, \"ts\": {:.6f}, \"dur\": {:.6f}, \"name\": \"{}\"}}",
                   entry.rank, begin, static_cast<double>(entry.end_ps - entry.begin_ps) / ps_per_us, name_of(entry));
    const bool sends = entry.activity == Activity::send;
    if (!sends && entry.activity != Activity::receive) continue;
    fmt::format_to(out,
                   ",\n{{\"ph\": \"{}\", \"bp\": \"e\", \"pid\": 0, \"tid\": {}, \"ts\": {:.6f}, \"id\": {}, \"cat\": "
                   "\"message\", \"name\": \"message\"}}",
                   sends ? 's' : 'f', entry.rank, begin, entry.message);
  }
  return text + "\n]}\n";
}

}  // namespace tutti::simulation
