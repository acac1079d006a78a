// Measuring one cell in rounds. All candidates take short turns one after the other, in an order that rotates, so that
// a disturbance of the machine meets all of them; a job that is not on turn sleeps.
#include "perf/rounds.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "error.hpp"
#include "perf/energy.hpp"

namespace tutti::perf {
namespace {

using Clock = std::chrono::steady_clock;

// A turn this long is long beside a context switch and the warming of caches, and short beside a disturbance.
constexpr double turn_us = 10000;
// A call shorter than this is near the clock's own cost; batches of such calls last this long.
constexpr double shortest_single_us = 2;
constexpr double batch_us = 15;
constexpr double cpu_turn_us = 1000;
// Energy counters tick once a millisecond and count the whole package: only long turns say anything.
constexpr double energy_turn_us = 20000;
constexpr int fewest_rounds = 3;
constexpr int fewest_cpu_turns = 2;
// A rank that began later than this after the common start has missed it, where every rank has a core of its own.
constexpr double late_us = 0.3;
constexpr double late_share = 0.02;
// A ping-pong of one cache line is far shorter than the clock.
constexpr unsigned hop_batch = 200;

void copy_text(char* to, std::size_t room, const std::string& text) { std::snprintf(to, room, "%s", text.c_str()); }

perf_request request_for(const Options& options, const Cell& cell, const Candidate& candidate) {
  perf_request request{};
  request.mode = options.nonblocking && candidate.part.empty() ? PERF_NONBLOCKING : PERF_BLOCKING;
  request.in_place = options.in_place;
  request.root = options.root;
  request.batch = 1;
  request.seed = static_cast<std::uint32_t>(cell.bytes * 2654435761u + 1);
  request.count = candidate.part.empty() ? cell.count : candidate.bytes;
  copy_text(request.collective, sizeof request.collective,
            candidate.part.empty() ? candidate.series->collective : candidate.part);
  copy_text(request.type, sizeof request.type, options.type);
  copy_text(request.op, sizeof request.op, options.op);
  copy_text(request.algorithm, sizeof request.algorithm, candidate.forced);
  copy_text(request.distribution, sizeof request.distribution, options.distribution);
  request.density = candidate.series->density;
  request.bits = candidate.series->bits;
  request.dense_result = options.dense_result;
  return request;
}

// Asks, and notes on the series where a rank failed. Returns whether all ranks succeeded.
bool ask(Candidate& candidate, const perf_request& request, std::vector<perf_reply>& replies) {
  replies = candidate.job->ask(request);
  for (std::size_t rank = 0; rank < replies.size(); ++rank) {
    if (!replies[rank].failed) continue;
    std::string& complaint = candidate.series->complaint;
    complaint += fmt::format("{}rank {}: {}", candidate.series->ran ? "" : "; ", rank, replies[rank].text);
    candidate.series->ran = false;
  }
  return candidate.series->ran;
}

// All ranks must hold the same bits, so the errors are those of any of them. Some algorithms of a peer do not keep to
// that, which its row says.
void note_loss(Candidate& candidate, const std::vector<perf_reply>& replies) {
  Series& series = *candidate.series;
  series.loss = {replies.front().max_abs_error, replies.front().nrmse, replies.front().snr_db};
  series.wire_bytes = 0;
  for (std::size_t rank = 0; rank < replies.size(); ++rank) {
    series.wire_bytes += replies[rank].wire_bytes;
    if (replies[rank].digest == replies.front().digest || !series.correct) continue;
    series.correct = false;
    series.complaint = fmt::format("rank {} holds other bits than rank 0", rank);
  }
}

void verify(Candidate& candidate, perf_request request, perf_action action) {
  std::vector<perf_reply> replies;
  request.action = action;
  if (!ask(candidate, request, replies)) return;
  for (std::size_t rank = 0; rank < replies.size(); ++rank) {
    if (replies[rank].correct) continue;
    candidate.series->correct = false;
    candidate.series->complaint = fmt::format("rank {}: {}", rank, replies[rank].text);
  }
  if (request.distribution[0]) note_loss(candidate, replies);
}

void note_choice(Candidate& candidate, perf_request request) {
  std::vector<perf_reply> replies;
  request.action = PERF_CHOICE;
  if (!ask(candidate, request, replies)) return;
  // "ring", "ring(window=256K, ...)" or "lanes(inner=knomial(k=2), ...)", and after a colon why.
  const std::string_view text = replies.front().text;
  const std::string_view setting = text.substr(0, text.find(": "));
  const std::size_t name = std::min(setting.find('('), setting.size());
  candidate.series->algorithm = setting.substr(0, name);
  candidate.series->parameters = setting.substr(name);
  candidate.series->chosen = candidate.forced.empty();
}

bool missed_start(const Candidate& candidate, const Sample& sample) {
  // Where ranks share cores, a rank that begins late was kept from its core by the others: that is the library's
  // affair.
  if (candidate.job->plan().more_ranks_than_cores) return false;
  const double entered_us = static_cast<double>(sample.entered) / 1000,
               left_us = static_cast<double>(sample.left) / 1000;
  return entered_us > std::max(late_us, late_share * left_us);
}

// One turn: returns the microseconds of a call in each sample that met the common start.
std::vector<double> time_turn(Candidate& candidate, perf_request request, unsigned samples, unsigned warm_up) {
  request.action = PERF_TIME;
  request.samples = samples;
  request.warm_up = warm_up;
  std::vector<perf_reply> replies;
  std::vector<double> us;
  if (!ask(candidate, request, replies)) return us;
  for (const Sample& sample : candidate.job->samples(samples)) {
    if (missed_start(candidate, sample))
      ++candidate.series->missed;
    else
      us.push_back(static_cast<double>(sample.left) / 1000 / request.batch);
  }
  return us;
}

double quick_median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : median_of_sorted(values);
}

// How long a call takes, roughly, so that turns and batches get their length. One call first: a library that spins
// where ranks share cores can need seconds.
double probe(Candidate& candidate, const perf_request& request) {
  double us = 0;
  for (const unsigned samples : {1u, 5u, 20u}) {
    us = quick_median(time_turn(candidate, request, samples, samples / 4));
    if (us > 100 * turn_us / samples) break;
  }
  candidate.series->missed = 0;
  return us;
}

unsigned count_for(double wanted_us, double call_us, unsigned least, unsigned most) {
  const double count = wanted_us / std::max(call_us, 0.01);
  return static_cast<unsigned>(std::clamp(count, static_cast<double>(least), static_cast<double>(most)));
}

void cpu_turn(Candidate& candidate, perf_request request, double call_us) {
  const EnergyMeter meter;
  request.action = PERF_CPU;
  request.samples = count_for(meter.joules() ? energy_turn_us : cpu_turn_us, call_us, 1, 1000000);
  std::vector<perf_reply> replies;
  const double before = meter.joules().value_or(0);
  if (!ask(candidate, request, replies)) return;
  Series& series = *candidate.series;
  if (const auto after = meter.joules()) series.joules = (*after - before) / request.samples;
  double sum_us = 0;
  for (const perf_reply& reply : replies) sum_us += static_cast<double>(reply.cpu_ns) / 1000 / request.samples;
  series.cpu_us += (sum_us - series.cpu_us) / ++series.cpu_turns;
}

// Times the calibrated computation alone and with the call in flight.
void overlap_turn(Candidate& candidate, perf_request request, unsigned samples) {
  Series& series = *candidate.series;
  request.compute_ns = static_cast<std::uint64_t>(quick_median(series.us) * 1000);
  for (const auto& [mode, to] :
       {std::pair{PERF_COMPUTE, &series.compute_us}, {PERF_OVERLAPPED, &series.overlapped_us}}) {
    request.mode = mode;
    const std::vector<double> us = time_turn(candidate, request, samples, 1);
    to->insert(to->end(), us.begin(), us.end());
  }
}

struct Turn {
  perf_request request{};
  double call_us = 0;
};

void take_turn(const Options& options, Candidate& candidate, const Turn& turn, int launch) {
  const double sample_us = turn.call_us * turn.request.batch;
  const bool slow = sample_us > 10 * turn_us;
  const unsigned samples = count_for(turn_us, sample_us, slow ? 1 : 3, PERF_TURN_SAMPLES);
  const unsigned warm_up = count_for(turn_us / 10, turn.call_us, slow ? 0 : 1, 1000);
  Series& series = *candidate.series;
  const std::vector<double> us = time_turn(candidate, turn.request, samples, warm_up);
  series.us.insert(series.us.end(), us.begin(), us.end());
  series.launch.resize(series.us.size(), launch);
  if (!candidate.part.empty() || !series.ran) return;
  if (!slow || series.cpu_turns < fewest_cpu_turns) cpu_turn(candidate, turn.request, turn.call_us);
  if (options.nonblocking && series.ran) overlap_turn(candidate, turn.request, std::min(samples, 50u));
}

bool is_settled(const Options& options, const Series& series, std::size_t limit) {
  return !series.ran || series.us.size() >= limit ||
         interval_within(summarise(series.us), options.interval_share / 100);
}

}  // namespace

void measure_cell(const Options& options, const Cell& cell, int launch, std::vector<Candidate>& candidates,
                  const Progress& progress) {
  std::vector<Turn> turns(candidates.size());
  double fastest_us = INFINITY;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    Candidate& candidate = candidates[i];
    if (!candidate.series->ran) continue;
    turns[i].request = request_for(options, cell, candidate);
    if (candidate.part.empty()) verify(candidate, turns[i].request, PERF_CHECK);
    if (candidate.series->ran && candidate.reports_choice) note_choice(candidate, turns[i].request);
    if (candidate.series->ran) turns[i].call_us = probe(candidate, turns[i].request);
    if (candidate.series->ran && candidate.part.empty()) fastest_us = std::min(fastest_us, turns[i].call_us);
  }
  // One batch for all candidates of a cell, and the same in every launch, so that like is compared with like.
  const bool batched = fastest_us < shortest_single_us && !options.nonblocking;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    Series& series = *candidates[i].series;
    if (series.us.empty()) series.batch = batched ? count_for(batch_us, fastest_us, 2, 1000) : 1;
    if (candidates[i].part == "hop" || candidates[i].part == "switch") series.batch = hop_batch;
    turns[i].request.batch = series.batch;
    if (series.batch > 1 && series.ran)
      turns[i].call_us = std::max(0.02, quick_median(time_turn(candidates[i], turns[i].request, 20, 50)));
    series.missed = 0;
  }
  const double share = static_cast<double>(launch + 1) / options.launches;
  const auto limit =
      std::chrono::duration<double>(options.seconds * static_cast<double>(candidates.size()) / options.launches);
  const auto sample_limit = static_cast<std::size_t>(std::ceil(options.samples * share));
  const auto begin = Clock::now();
  for (int round = 0;; ++round) {
    bool settled = round >= fewest_rounds;
    for (const Candidate& candidate : candidates) settled &= is_settled(options, *candidate.series, sample_limit);
    if (settled || (round > 0 && Clock::now() - begin > limit)) break;
    progress(fmt::format("round {}", round + 1));
    for (std::size_t k = 0; k < candidates.size(); ++k) {
      const std::size_t i = (k + static_cast<std::size_t>(round)) % candidates.size();
      if (candidates[i].series->ran) take_turn(options, candidates[i], turns[i], launch);
    }
  }
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (candidates[i].part.empty() && candidates[i].series->ran) verify(candidates[i], turns[i].request, PERF_RECHECK);
}

std::optional<double> overlap_percent(const Series& series) {
  if (series.overlapped_us.empty() || series.us.empty()) return std::nullopt;
  const double call = quick_median(series.us), compute = quick_median(series.compute_us);
  const double total = quick_median(series.overlapped_us);
  return std::clamp((call + compute - total) / std::min(call, compute) * 100, 0.0, 100.0);
}

}  // namespace tutti::perf
