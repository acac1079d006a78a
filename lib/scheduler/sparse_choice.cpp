// See sparse_choice.hpp; docs/sparse.md has the formulas.
#include "scheduler/sparse_choice.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "error.hpp"
#include "scheduler/bytes.hpp"
#include "scheduler/model.hpp"

namespace tutti {
namespace {

// A merge costs so many dense combines of the same bytes: about half a nanosecond a byte, against 5 ps where the bytes
// pass the core anyway.
constexpr std::int64_t merge_factor = 100;
// A stage before the bytes move: 8 bytes for each peer. Counts of magnitudes: 256 words; that many rounds usually.
constexpr std::int64_t size_bytes = 8;
constexpr std::int64_t histogram_bytes = 2048;
constexpr std::int64_t threshold_rounds = 3;

std::int64_t log2_up(std::int64_t value) {
  return static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(value - 1)));
}

// The numbers that the formulas are made of, all in bytes.
class Volumes {
 public:
  explicit Volumes(const SparseQuestion& question)
      : question_(question), pair_(question.index_bytes + question.value_bytes), size_(question.size) {}

  std::int64_t dense() const { return whole(question_.count * question_.value_bytes); }
  std::int64_t own() const { return whole(question_.pairs * pair_); }
  std::int64_t top() const { return whole(question_.k * pair_); }
  // What so many ranks have together, in the shorter form.
  std::int64_t union_of(std::int64_t ranks) const { return std::min(union_pairs(ranks), dense()); }
  std::int64_t union_pairs(std::int64_t ranks) const {
    return scale(whole(expected_union(question_.count, question_.pairs, ranks)), pair_);
  }

  // Rounds of a vector of so many bytes; Share is relative to it.
  Round direct(std::int64_t each_share_of, std::int64_t combined) const {
    return {Pattern::direct,    size_ - 1, size_ - 1, {scale(each_share_of, size_ - 1, size_), unit()},
            {combined, unit()}, 1};
  }
  Round sizes(std::int64_t bytes) const {
    return {Pattern::direct, size_ - 1, size_ - 1, {scale(bytes, size_ - 1), unit()}, {0, 1}, 1};
  }
  std::int64_t unit() const { return std::max<std::int64_t>(dense(), 1); }
  std::int64_t size() const { return size_; }

 private:
  static std::int64_t whole(std::uint64_t value) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::int64_t>::max()));
  }
  const SparseQuestion& question_;
  std::int64_t pair_;
  std::int64_t size_;
};

std::vector<Round> doubling(const Volumes& volumes) {
  std::vector<Round> rounds;
  const std::int64_t unit = volumes.unit();
  const auto places = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(volumes.size())));
  const auto exchange = [&](Pattern pattern, std::int64_t distance, std::int64_t bytes, bool merges) {
    const bool dense = bytes >= volumes.dense();
    rounds.push_back({pattern, distance, 1, {size_bytes, unit}, {0, 1}, 1});
    rounds.push_back(
        {pattern, distance, 2, {bytes, unit}, {merges ? scale(2 * bytes, dense ? 1 : merge_factor) : 0, unit}, 1});
  };
  if (places < volumes.size()) exchange(Pattern::tree, 1, volumes.own(), true);
  for (std::int64_t distance = 1; distance < places; distance *= 2)
    exchange(Pattern::exchange, distance, volumes.union_of(distance), true);
  if (places < volumes.size()) exchange(Pattern::tree, 1, volumes.union_of(volumes.size()), false);
  return rounds;
}

std::vector<Round> split(const Volumes& volumes, std::int64_t gathered) {
  const std::int64_t merged = scale(volumes.own(), merge_factor * std::max<std::int64_t>(1, log2_up(volumes.size())));
  return {volumes.sizes(size_bytes), volumes.direct(volumes.own(), merged), volumes.sizes(size_bytes),
          volumes.direct(gathered, 0)};
}

std::vector<Round> ok_topk(const Volumes& volumes) {
  std::vector<Round> rounds = split(volumes, std::min(volumes.top(), volumes.union_pairs(volumes.size())));
  rounds.insert(rounds.begin(), volumes.sizes(scale(size_bytes, volumes.size() - 1)));
  Round thresholds = volumes.sizes(histogram_bytes);
  thresholds.times = threshold_rounds;
  rounds.insert(rounds.end() - 1, thresholds);
  return rounds;
}

Candidate predicted(const Volumes& volumes, const Machine& machine, const std::vector<Round>& rounds) {
  const Pipeline pipeline{volumes.unit(), volumes.unit(), 1, 1};
  const Terms terms = predict(rounds, machine, pipeline);
  Candidate candidate;
  candidate.latency_ps = terms.latency;
  candidate.bandwidth_ps = terms.bandwidth;
  candidate.combine_ps = terms.combine;
  candidate.switches_ps = terms.switches;
  candidate.total_ps = terms.total();
  return candidate;
}

// Union algorithms serve the global meaning too: everybody then selects from the whole sum.
Candidate consider_sparse(const SparseQuestion& question, const Machine& machine, const Overrides& dense,
                          const Algorithm& algorithm) {
  const Volumes volumes(question);
  Candidate candidate;
  if (algorithm.name == "ok-topk" && !question.global) {
    candidate.refused = "its result is the k largest of the sum, and the sum of all is asked for";
  } else if (algorithm.name == "ok-topk") {
    candidate = predicted(volumes, machine, ok_topk(volumes));
  } else if (algorithm.name == "dense") {
    const Question whole{Kind::allreduce, question.count, question.value_bytes, question.size, false};
    const Choice choice = choose(whole, machine, dense);
    candidate.bandwidth_ps = scale(volumes.dense(), machine.copy_ps_1024, 1024);  // zeros, to scatter into
    candidate.latency_ps = choice.predicted_ps;
    candidate.total_ps = add(candidate.latency_ps, candidate.bandwidth_ps);
  } else if (algorithm.name == "recursive-doubling") {
    candidate = predicted(volumes, machine, doubling(volumes));
  } else {
    const bool sparse = algorithm.name == "split-sparse";
    candidate =
        predicted(volumes, machine, split(volumes, sparse ? volumes.union_of(volumes.size()) : volumes.dense()));
  }
  candidate.algorithm = &algorithm;
  candidate.windows = 1;
  if (question.global && candidate.refused.empty() && algorithm.name != "ok-topk") {
    const std::int64_t chosen_among =
        scale(volumes.union_of(volumes.size()), merge_factor * machine.combine_ps_1024, 1024);
    candidate.combine_ps = add(candidate.combine_ps, chosen_among);
    candidate.total_ps = add(candidate.total_ps, chosen_among);
  }
  return candidate;
}

std::vector<Candidate> candidates_of(const SparseQuestion& question, const Machine& machine, const Overrides& dense) {
  std::vector<Candidate> list;
  for (const Algorithm& algorithm : sparse_algorithms())
    list.push_back(consider_sparse(question, machine, dense, algorithm));
  return list;
}

Choice choice_of(const Candidate& candidate, bool forced, std::string reason) {
  Choice choice;
  choice.algorithm = candidate.algorithm;
  choice.predicted_ps = candidate.total_ps;
  choice.forced = forced;
  choice.reason = std::move(reason);
  return choice;
}

std::uint64_t dense_bytes(const SparseQuestion& question) { return question.count * question.value_bytes; }

std::string_view collective_name(bool top_k) { return top_k ? "topk-allreduce" : "sparse-allreduce"; }

std::string time_text(std::int64_t ps) { return fmt::format("{}.{:03} us", ps / 1000000, ps / 1000 % 1000); }

}  // namespace

std::span<const Algorithm> sparse_algorithms() {
  const auto composite = [](std::string_view name, std::string_view source, std::string_view cost) {
    Algorithm algorithm{};
    algorithm.kind = Kind::allreduce;
    algorithm.name = name;
    algorithm.source = source;
    algorithm.cost = cost;
    return algorithm;
  };
  constexpr std::string_view sparcml = "Renggli et al., \"SparCML\", SC'19";
  static const Algorithm all[] = {
      composite("split-sparse", sparcml, "4a + (p-1)/p (k + u) b, u: pairs of the union"),
      composite("recursive-doubling", sparcml, "2L a + (u(1) + u(2) + ... + u(p/2)) b"),
      composite("split-dense", sparcml, "4a + (p-1)/p (k b + n b)"),
      composite("ok-topk", "Li and Hoefler, \"Near-optimal sparse allreduce\", PPoPP'22",
                "9a + at most 6k (p-1)/p words"),
      composite("dense", "the dense allreduce of the vector of what was selected", "that of the dense allreduce"),
  };
  return all;
}

const Algorithm& sparse_algorithm(std::string_view name) {
  for (const Algorithm& algorithm : sparse_algorithms())
    if (algorithm.name == name) return algorithm;
  throw error(TUTTI_ERROR_INTERNAL, "there is no sparse algorithm '{}'", name);
}

std::uint64_t expected_union(std::uint64_t count, std::uint64_t pairs, std::int64_t ranks) {
  if (count == 0 || pairs >= count) return std::min(pairs, count);
  // The share of places that nobody has, in units of 2^-32.
  __extension__ using Wide = unsigned __int128;
  constexpr std::uint64_t one = std::uint64_t{1} << 32;
  const auto absent = one - static_cast<std::uint64_t>(static_cast<Wide>(pairs) * one / count);
  std::uint64_t nobody = one;
  for (std::int64_t rank = 0; rank < std::min<std::int64_t>(ranks, 4096); ++rank)
    nobody = static_cast<std::uint64_t>(static_cast<Wide>(nobody) * absent >> 32);
  const auto expected = static_cast<std::uint64_t>(static_cast<Wide>(count) * (one - nobody) >> 32);
  return std::max(expected, pairs);
}

Choice choose_sparse(const SparseQuestion& question, const Machine& machine, const SparseOverrides& forced,
                     const Overrides& dense) {
  if (const auto* entry = forced.find(question.top_k, dense_bytes(question))) {
    const Candidate candidate = consider_sparse(question, machine, dense, *entry->algorithm);
    if (!candidate.refused.empty())
      throw error(TUTTI_ERROR_UNSUPPORTED, "{} forces \"{}\" (column {}), which cannot run here: {}", forced.origin(),
                  entry->text, entry->column, candidate.refused);
    return choice_of(candidate, true,
                     fmt::format("forced by {}, column {}: {}", forced.origin(), entry->column, entry->text));
  }
  const std::vector<Candidate> list = candidates_of(question, machine, dense);
  const Candidate* best = nullptr;
  std::size_t able = 0;
  for (const Candidate& candidate : list) {
    if (!candidate.refused.empty()) continue;
    ++able;
    if (best == nullptr || candidate.total_ps < best->total_ps) best = &candidate;
  }
  return choice_of(*best, false, fmt::format("fastest of {} candidates", able));
}

std::string explain_sparse(const SparseQuestion& question, const Machine& machine, const SparseOverrides& forced,
                           const Overrides& dense) {
  const Choice chosen = choose_sparse(question, machine, forced, dense);
  std::string table =
      fmt::format("{} of {} bytes on {} ranks, at most {} pairs each, {} expected in the union: {}, predicted {}, {}\n",
                  collective_name(question.top_k), format_bytes(dense_bytes(question)), question.size, question.pairs,
                  expected_union(question.count, question.pairs, question.size), chosen.algorithm->name,
                  time_text(chosen.predicted_ps), chosen.reason);
  std::vector<Candidate> list = candidates_of(question, machine, dense);
  std::stable_sort(list.begin(), list.end(), [](const Candidate& left, const Candidate& right) {
    if (left.refused.empty() != right.refused.empty()) return left.refused.empty();
    return left.refused.empty() && left.total_ps < right.total_ps;
  });
  for (const Candidate& each : list) {
    if (!each.refused.empty())
      table += fmt::format("  {:<20}cannot run: {}\n", each.algorithm->name, each.refused);
    else
      table += fmt::format("  {:<20}{}: latency {}, bandwidth {}, combine {}, switches {}\n", each.algorithm->name,
                           time_text(each.total_ps), time_text(each.latency_ps), time_text(each.bandwidth_ps),
                           time_text(each.combine_ps), time_text(each.switches_ps));
  }
  return table;
}

}  // namespace tutti
