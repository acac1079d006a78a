// Sparse sums against a dense reference in float64: every algorithm x density x overlap x 1 to 9 ranks, the same bits
// on all ranks, exact sums of whole numbers, error feedback, and what is refused.
//
//   sparse_test threads [--full]                 1 to 9 ranks; TUTTI_TRANSPORT=shm: over shared memory
//   tutti run -n N sparse_test job [--full]      N ranks
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tutti/tutti.h"

namespace {

enum class Overlap { none, full, random };
enum class Form { blocking, nonblocking };

struct Case {
  const char* algorithm = "";  // "": chosen
  tutti_meaning meaning = TUTTI_UNION;
  double density = 0;
  std::uint64_t k = 0;  // where density is 0
  Overlap overlap = Overlap::random;
  std::uint64_t count = 0;
  bool float64 = false;
  bool whole_numbers = true;
  bool residual = false;
  bool brings_pairs = false;
  std::uint64_t bucket = 0;
  bool sparse_only = false;
  Form form = Form::blocking;
};

struct Rank {
  tutti_comm* comm = nullptr;
  int rank = 0, size = 1;
};

void demand(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}
void call(int result, tutti_comm* comm, const std::string& what) {
  demand(result == TUTTI_OK, what + ": " + tutti_error_message(comm));
}

std::string describe(const Case& c) {
  return std::string(c.algorithm) + (c.meaning == TUTTI_GLOBAL ? " global" : " union") + ", density " +
         std::to_string(c.density) + ", k " + std::to_string(c.k) + ", overlap " +
         std::to_string(static_cast<int>(c.overlap)) + ", count " + std::to_string(c.count) +
         (c.float64 ? ", float64" : "") + (c.whole_numbers ? ", whole numbers" : "") +
         (c.residual ? ", residual" : "") + (c.brings_pairs ? ", pairs" : "") + ", bucket " + std::to_string(c.bucket) +
         (c.sparse_only ? ", sparse result" : "") + (c.form == Form::nonblocking ? ", nonblocking" : "");
}

// The vector of one rank; every rank can make those of all.
template <class Value>
std::vector<Value> vector_of(const Case& c, int rank, int size) {
  std::mt19937_64 random(c.count * 7 + static_cast<std::uint64_t>(rank) + 1);
  std::vector<Value> values(c.count);
  const double share = c.density > 0 ? c.density
                       : c.count     ? static_cast<double>(c.k) / static_cast<double>(c.count)
                                     : 0;
  std::mt19937_64 places(c.overlap == Overlap::full ? 99 : static_cast<std::uint64_t>(rank) + 7);
  for (std::uint64_t i = 0; i < c.count; ++i) {
    const bool mine =
        c.overlap != Overlap::none || i % static_cast<std::uint64_t>(size) == static_cast<std::uint64_t>(rank);
    const bool large = std::uniform_real_distribution<>(0, 1)(places) < share;
    double value = c.whole_numbers ? static_cast<double>(static_cast<int>(random() % 17)) - 8
                                   : std::normal_distribution<>()(random);
    if (large) value *= 64;
    values[i] = mine ? static_cast<Value>(value) : Value{0};
  }
  return values;
}

template <class Value>
std::vector<std::uint64_t> top_of(const std::vector<Value>& values, std::uint64_t k, std::uint64_t bucket) {
  std::vector<std::uint64_t> selected;
  const std::uint64_t step = bucket ? bucket : std::max<std::uint64_t>(values.size(), 1);
  for (std::uint64_t first = 0; first < values.size(); first += step) {
    std::vector<std::uint64_t> order;
    for (std::uint64_t i = first; i < std::min<std::uint64_t>(first + step, values.size()); ++i)
      if (values[i] != 0) order.push_back(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return std::abs(values[a]) > std::abs(values[b]); });
    order.resize(std::min<std::uint64_t>(k, order.size()));
    selected.insert(selected.end(), order.begin(), order.end());
  }
  std::sort(selected.begin(), selected.end());
  return selected;
}

// What the ranks should have, in float64.
struct Expected {
  std::vector<double> sum;        // of all that was selected
  std::vector<double> magnitude;  // the sum of the magnitudes, for the bound of the error
  std::vector<std::uint64_t> own;
  std::uint64_t k = 0;
};

std::uint64_t k_of(const Case& c) {
  const std::uint64_t of = c.bucket && c.bucket < c.count ? c.bucket : c.count;
  return c.k ? std::min(c.k, of) : static_cast<std::uint64_t>(std::ceil(c.density * static_cast<double>(of)));
}

template <class Value>
std::vector<Value> residual_of(const Case& c, int rank) {
  std::vector<Value> residual(c.count);
  for (std::uint64_t i = 0; i < c.count; ++i)
    residual[i] = static_cast<Value>((i + static_cast<std::uint64_t>(rank)) % 5 == 0 ? 3 : 0);
  return residual;
}

template <class Value>
std::vector<Value> summed(const Case& c, int rank, int size) {
  std::vector<Value> values = vector_of<Value>(c, rank, size);
  if (!c.residual) return values;
  const std::vector<Value> residual = residual_of<Value>(c, rank);
  for (std::uint64_t i = 0; i < c.count; ++i) values[i] += residual[i];
  return values;
}

template <class Value>
Expected expected_of(const Case& c, const Rank& rank) {
  Expected expected;
  expected.k = k_of(c);
  expected.sum.resize(c.count);
  expected.magnitude.resize(c.count);
  for (int other = 0; other < rank.size; ++other) {
    const std::vector<Value> values = summed<Value>(c, other, rank.size);
    const auto selected = top_of(values, expected.k, c.bucket);
    for (const std::uint64_t i : selected) {
      expected.sum[i] += static_cast<double>(values[i]);
      expected.magnitude[i] += std::abs(static_cast<double>(values[i]));
    }
    if (other == rank.rank) expected.own = selected;
  }
  return expected;
}

template <class Value>
struct Got {
  std::vector<Value> out, residual;
  std::vector<std::uint32_t> indices;
  std::vector<Value> values;
  tutti_sparse_report report{};
};

template <class Value>
Got<Value> run_call(const Case& c, const Rank& rank) {
  const tutti_type type = c.float64 ? TUTTI_FLOAT64 : TUTTI_FLOAT32;
  const std::vector<Value> values = vector_of<Value>(c, rank.rank, rank.size);
  Got<Value> got;
  if (!c.sparse_only) got.out.assign(c.count, Value{-77});
  if (c.residual) got.residual = residual_of<Value>(c, rank.rank);
  got.indices.resize(c.count);
  got.values.resize(c.count);
  tutti_pairs result{got.indices.data(), got.values.data(), 0, c.count};
  void* out = c.sparse_only ? nullptr : static_cast<void*>(got.out.data());
  tutti_request* request = nullptr;
  int code = TUTTI_OK;
  std::vector<std::uint32_t> indices;
  std::vector<Value> given;
  const std::uint64_t k = k_of(c);
  if (c.brings_pairs) {
    for (const std::uint64_t i : top_of(values, k, c.bucket)) {
      indices.push_back(static_cast<std::uint32_t>(i));
      given.push_back(values[i]);
    }
    const tutti_pairs in{indices.data(), given.data(), indices.size(), 0};
    const std::uint64_t keep = c.meaning == TUTTI_GLOBAL ? k : 0;
    code = c.form == Form::blocking
               ? tutti_sparse_allreduce(&in, c.count, type, keep, out, &result, &got.report, rank.comm)
               : tutti_isparse_allreduce(&in, c.count, type, keep, out, &result, &got.report, rank.comm, &request);
  } else {
    tutti_topk select{};
    select.k = c.k;
    select.density = c.density;
    select.bucket = c.bucket;
    select.meaning = c.meaning;
    void* residual = c.residual ? got.residual.data() : nullptr;
    code = c.form == Form::blocking ? tutti_topk_allreduce(values.data(), c.count, type, &select, residual, out,
                                                           &result, &got.report, rank.comm)
                                    : tutti_itopk_allreduce(values.data(), c.count, type, &select, residual, out,
                                                            &result, &got.report, rank.comm, &request);
  }
  call(code, rank.comm, "the call");
  if (request) {
    // Another operation between a start and its end, in the same order on all ranks.
    std::int64_t one = 1, sum = 0;
    call(tutti_allreduce(&one, &sum, 1, TUTTI_INT64, TUTTI_SUM, rank.comm), rank.comm, "an allreduce meanwhile");
    demand(sum == rank.size, "the allreduce meanwhile is wrong");
    call(tutti_wait(request), rank.comm, "tutti_wait");
  }
  got.indices.resize(result.count);
  got.values.resize(result.count);
  return got;
}

// Every rank has the same: by the largest and the least of a hash.
template <class Value>
void check_same_bits(const Got<Value>& got, const Rank& rank) {
  std::uint64_t hash = 1469598103934665603u;
  const auto mix = [&](const void* data, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211u;
  };
  mix(got.indices.data(), got.indices.size() * sizeof(std::uint32_t));
  mix(got.values.data(), got.values.size() * sizeof(Value));
  mix(got.out.data(), got.out.size() * sizeof(Value));
  std::uint64_t least = 0, most = 0;
  call(tutti_allreduce(&hash, &least, 1, TUTTI_UINT64, TUTTI_MIN, rank.comm), rank.comm, "the comparison");
  call(tutti_allreduce(&hash, &most, 1, TUTTI_UINT64, TUTTI_MAX, rank.comm), rank.comm, "the comparison");
  demand(least == most, "the ranks' results differ in their bits");
}

template <class Value>
double tolerance(const Case& c, const Expected& expected, std::uint64_t i, int size) {
  if (c.whole_numbers) return 0;
  const double epsilon = c.float64 ? 0x1p-52 : 0x1p-23;
  return static_cast<double>(size) * epsilon * expected.magnitude[i];
}

template <class Value>
void check_result(const Case& c, const Got<Value>& got, const Expected& expected, const Rank& rank) {
  // The pairs and the dense result say the same.
  std::vector<double> dense(c.count);
  for (std::size_t i = 0; i < got.indices.size(); ++i) {
    demand(got.indices[i] < c.count && (i == 0 || got.indices[i] > got.indices[i - 1]), "the result is not sorted");
    demand(got.values[i] != 0, "the result has a zero");
    dense[got.indices[i]] = static_cast<double>(got.values[i]);
  }
  for (std::size_t i = 0; i < got.out.size(); ++i)
    demand(static_cast<double>(got.out[i]) == dense[i],
           "the dense result differs from the pairs at " + std::to_string(i));
  if (c.meaning == TUTTI_UNION) {
    for (std::uint64_t i = 0; i < c.count; ++i)
      demand(std::abs(dense[i] - expected.sum[i]) <= tolerance<Value>(c, expected, i, rank.size),
             "at " + std::to_string(i) + " is " + std::to_string(dense[i]) + ", right is " +
                 std::to_string(expected.sum[i]));
    return;
  }
  // Global: the k largest of the sum.
  const std::uint64_t buckets = c.bucket && c.bucket < c.count ? (c.count + c.bucket - 1) / c.bucket : 1;
  const auto top = top_of(expected.sum, expected.k * buckets, 0);
  if (c.whole_numbers) {
    demand(std::equal(top.begin(), top.end(), got.indices.begin(), got.indices.end(),
                      [](std::uint64_t a, std::uint32_t b) { return a == b; }),
           "the k largest are others: " + std::to_string(got.indices.size()) + " pairs, right are " +
               std::to_string(top.size()));
  } else {
    demand(got.indices.size() == top.size(), "the k largest are more or fewer");
  }
  for (const std::uint32_t i : got.indices)
    demand(std::abs(dense[i] - expected.sum[i]) <= tolerance<Value>(c, expected, i, rank.size), "a sum is wrong");
}

// What was not sent, or did not make it, is in the residual.
template <class Value>
void check_residual(const Case& c, const Got<Value>& got, const Expected& expected, const Rank& rank) {
  if (!c.residual) return;
  std::vector<Value> right = summed<Value>(c, rank.rank, rank.size);
  for (const std::uint64_t i : expected.own)
    if (c.meaning == TUTTI_UNION ||
        std::binary_search(got.indices.begin(), got.indices.end(), static_cast<std::uint32_t>(i)))
      right[i] = 0;
  for (std::uint64_t i = 0; i < c.count; ++i)
    demand(got.residual[i] == right[i], "the residual at " + std::to_string(i) + " is wrong");
}

template <class Value>
void run_case(const Case& c, const Rank& rank) {
  const std::string spec =
      *c.algorithm ? std::string("topk-allreduce=") + c.algorithm + "; sparse-allreduce=" + c.algorithm : std::string();
  call(tutti_comm_set_algorithm(rank.comm, spec.c_str()), rank.comm, "forcing " + spec);
  const Got<Value> got = run_call<Value>(c, rank);
  const Expected expected = expected_of<Value>(c, rank);
  check_result(c, got, expected, rank);
  check_residual(c, got, expected, rank);
  check_same_bits(got, rank);
  const tutti_sparse_report& report = got.report;
  demand(report.selected == expected.own.size(), "the report's selection is wrong");
  demand(report.bytes_control <= report.bytes_sent, "more bytes of control than in all");
  if (*c.algorithm && rank.size > 1) demand(std::string(report.algorithm) == c.algorithm, "another algorithm ran");
  // Ok-Topk: at most 6k (p-1)/p words of 4 bytes, sizes and thresholds apart. Small k are not divided evenly.
  if (std::string(report.algorithm) == "ok-topk" && c.bucket == 0 && c.overlap == Overlap::random &&
      expected.k >= 500) {
    const double words = static_cast<double>(report.bytes_sent - report.bytes_control) / (c.float64 ? 6 : 4);
    const double bound = 6.0 * static_cast<double>(expected.k) * (rank.size - 1) / rank.size;
    demand(words <= bound, "Ok-Topk sent " + std::to_string(words) + " words; at most " + std::to_string(bound));
  }
}

// A slice by default, a smaller one for many ranks: each makes the vectors of all.
std::vector<Case> cases(int size, bool full) {
  std::vector<Case> list;
  const char* algorithms[] = {"", "recursive-doubling", "split-sparse", "split-dense", "ok-topk", "dense"};
  unsigned turn = 0;
  for (const char* algorithm : algorithms)
    for (const tutti_meaning meaning : {TUTTI_UNION, TUTTI_GLOBAL})
      for (const double density : {0.0, -1.0, 0.0001, 0.01, 0.1, 1.0})
        for (const Overlap overlap : {Overlap::none, Overlap::full, Overlap::random})
          for (const bool residual : {false, true}) {
            if (meaning == TUTTI_UNION && std::string(algorithm) == "ok-topk") continue;
            ++turn;
            if (!full && turn % (size > 3 ? 13 : 5) != 2) continue;
            Case c;
            c.algorithm = algorithm;
            c.meaning = meaning;
            c.density = std::max(density, 0.0);
            c.k = density < 0 ? 1 : 0;
            c.overlap = overlap;
            c.residual = residual;
            c.count = density == 0.01 || density == 0.1 ? 6000 + turn : 1001 + turn % 5;
            c.float64 = turn % 7 == 3;
            c.whole_numbers = turn % 3 != 1;
            // Global without keeping any is not what sparse-allreduce can be asked for.
            c.brings_pairs = !residual && turn % 4 >= 2 && !(meaning == TUTTI_GLOBAL && density == 0);
            c.bucket = !c.brings_pairs && turn % 11 == 5 ? 512 : 0;
            c.sparse_only = turn % 5 == 2;
            c.form = turn % 13 >= 9 ? Form::nonblocking : Form::blocking;
            list.push_back(c);
          }
  for (const std::uint64_t count : {0u, 1u, 2u, 8u}) {
    Case c;
    c.count = count;
    c.density = 1;
    for (const char* algorithm : {"recursive-doubling", "split-sparse", "split-dense", "dense"}) {
      c.algorithm = algorithm;
      list.push_back(c);
    }
    c.algorithm = "ok-topk";
    c.meaning = TUTTI_GLOBAL;
    list.push_back(c);
  }
  return list;
}

// ---- what else must hold ----

void check_broadcast(const Rank& rank) {
  for (int root = 0; root < rank.size; ++root)
    for (const std::uint64_t pairs : {0u, 1u, 500u}) {
      std::vector<std::uint32_t> indices(pairs);
      std::vector<float> values(pairs);
      for (std::uint64_t i = 0; i < pairs && rank.rank == root; ++i) {
        indices[i] = static_cast<std::uint32_t>(3 * i + 1);
        values[i] = static_cast<float>(i + 1);
      }
      std::vector<float> vector(2000, 10);
      tutti_pairs delta{indices.data(), values.data(), rank.rank == root ? pairs : 0, pairs};
      tutti_sparse_report report{};
      call(tutti_sparse_broadcast(&delta, vector.size(), TUTTI_FLOAT32, root, vector.data(), &report, rank.comm),
           rank.comm, "tutti_sparse_broadcast");
      demand(delta.count == pairs, "the number of pairs is wrong");
      for (std::uint64_t i = 0; i < pairs; ++i)
        demand(indices[i] == 3 * i + 1 && values[i] == static_cast<float>(i + 1), "a pair is wrong");
      for (std::uint64_t i = 0; i < vector.size(); ++i) {
        const bool changed = i % 3 == 1 && i / 3 < pairs;
        demand(vector[i] == (changed ? 11 + static_cast<float>(i / 3) : 10), "the delta is not in the vector");
      }
    }
}

// Vectors of more than 2^32 elements have wide indices; nobody holds such a vector.
void check_wide_indices(const Rank& rank) {
  const std::uint64_t count = std::uint64_t{1} << 40;
  std::vector<std::uint64_t> indices = {static_cast<std::uint64_t>(rank.rank), count / 2, count - 1};
  std::vector<double> values = {1, 2, 3};
  if (rank.rank == 0) indices[0] = 0;
  std::vector<std::uint64_t> result_indices(100);
  std::vector<double> result_values(100);
  for (const char* algorithm : {"sparse-allreduce=split-sparse", "sparse-allreduce=recursive-doubling", ""}) {
    call(tutti_comm_set_algorithm(rank.comm, algorithm), rank.comm, "forcing");
    const tutti_pairs in{indices.data(), values.data(), 3, 0};
    tutti_pairs result{result_indices.data(), result_values.data(), 0, 100};
    call(tutti_sparse_allreduce(&in, count, TUTTI_FLOAT64, 0, nullptr, &result, nullptr, rank.comm), rank.comm,
         "wide indices");
    demand(result.count == static_cast<std::uint64_t>(rank.size) + 2, "the number of wide pairs is wrong");
    demand(result_indices[result.count - 1] == count - 1 && result_values[result.count - 1] == 3 * rank.size &&
               result_values[result.count - 2] == 2 * rank.size && result_values[0] == 1,
           "a wide sum is wrong");
  }
}

void refused(int code, int wanted, const char* words, const Rank& rank) {
  const std::string message = tutti_error_message(rank.comm);
  demand(code == wanted && message.find(words) != std::string::npos,
         std::string("expected ") + tutti_result_name(wanted) + " with \"" + words + "\", got " +
             tutti_result_name(code) + ": " + message);
}

void check_refusals(const Rank& rank) {
  std::vector<float> values(10, 1), out(10);
  tutti_topk select{};
  select.k = 11;
  const auto topk = [&] {
    return tutti_topk_allreduce(values.data(), 10, TUTTI_FLOAT32, &select, nullptr, out.data(), nullptr, nullptr,
                                rank.comm);
  };
  refused(topk(), TUTTI_ERROR_ARGUMENT, "k is 11, of 10 elements", rank);
  select.k = 0;
  select.density = 1.5;
  refused(topk(), TUTTI_ERROR_ARGUMENT, "a density of 1.5", rank);
  select.density = std::nan("");
  refused(topk(), TUTTI_ERROR_ARGUMENT, "a density of nan", rank);
  select.density = 0.5;
  select.meaning = 7;
  refused(topk(), TUTTI_ERROR_ARGUMENT, "no meaning 7", rank);
  select.meaning = TUTTI_UNION;
  refused(tutti_topk_allreduce(nullptr, 10, TUTTI_FLOAT32, &select, nullptr, out.data(), nullptr, nullptr, rank.comm),
          TUTTI_ERROR_ARGUMENT, "values are null", rank);
  refused(
      tutti_topk_allreduce(values.data(), 10, TUTTI_FLOAT32, nullptr, nullptr, out.data(), nullptr, nullptr, rank.comm),
      TUTTI_ERROR_ARGUMENT, "select is null", rank);
  refused(
      tutti_topk_allreduce(values.data(), 10, TUTTI_INT32, &select, nullptr, out.data(), nullptr, nullptr, rank.comm),
      TUTTI_ERROR_UNSUPPORTED, "int32 is not supported", rank);
  refused(tutti_topk_allreduce(values.data(), 8, TUTTI_FLOAT32, &select, values.data() + 2, out.data(), nullptr,
                               nullptr, rank.comm),
          TUTTI_ERROR_ARGUMENT, "residual overlaps", rank);
  std::vector<std::uint32_t> indices = {1, 1};
  tutti_pairs in{indices.data(), values.data(), 2, 0};
  const auto sparse = [&](std::uint64_t keep) {
    return tutti_sparse_allreduce(&in, 10, TUTTI_FLOAT32, keep, out.data(), nullptr, nullptr, rank.comm);
  };
  refused(sparse(0), TUTTI_ERROR_ARGUMENT, "indices[1] repeats 1", rank);
  indices = {4, 2};
  refused(sparse(0), TUTTI_ERROR_ARGUMENT, "indices[1] is 2, after 4", rank);
  indices = {4, 10};
  refused(sparse(0), TUTTI_ERROR_ARGUMENT, "indices[1] is 10, out of range", rank);
  indices = {4, 9};
  refused(sparse(11), TUTTI_ERROR_ARGUMENT, "keep is 11", rank);
  in.values = nullptr;
  refused(sparse(0), TUTTI_ERROR_ARGUMENT, "values are null", rank);
  in.values = values.data();
  refused(tutti_isparse_allreduce(&in, 10, TUTTI_FLOAT32, 0, out.data(), nullptr, nullptr, rank.comm, nullptr),
          TUTTI_ERROR_ARGUMENT, "request is null", rank);
  refused(tutti_sparse_broadcast(&in, 10, TUTTI_FLOAT32, rank.size, nullptr, nullptr, rank.comm), TUTTI_ERROR_ARGUMENT,
          "is not one of the ranks", rank);
  refused(tutti_comm_set_algorithm(rank.comm, "topk-allreduce=ring"), TUTTI_ERROR_ARGUMENT,
          "is not an algorithm of topk", rank);
  refused(tutti_comm_set_algorithm(rank.comm, "topk-allreduce@9-3=dense"), TUTTI_ERROR_ARGUMENT, "the range is empty",
          rank);
  refused(tutti_comm_set_algorithm(rank.comm, "topk-allreduce=dense;topk-allreduce=ok-topk"), TUTTI_ERROR_ARGUMENT,
          "overlaps", rank);
  if (rank.size > 1) {
    call(tutti_comm_set_algorithm(rank.comm, "topk-allreduce=ok-topk"), rank.comm, "forcing");
    tutti_comm* other = nullptr;  // a call that was refused after its start ends the communicator
    call(tutti_comm_duplicate(rank.comm, &other), rank.comm, "tutti_comm_duplicate");
    const int code =
        tutti_topk_allreduce(values.data(), 10, TUTTI_FLOAT32, &select, nullptr, out.data(), nullptr, nullptr, other);
    demand(code == TUTTI_ERROR_UNSUPPORTED || code == TUTTI_ERROR_ABORTED, "a forced algorithm of another meaning ran");
    call(tutti_comm_free(other), rank.comm, "tutti_comm_free");
  }
  call(tutti_comm_set_algorithm(rank.comm, ""), rank.comm, "forcing nothing");
  // Too little room is an error of this rank alone, and says how much is needed.
  std::vector<std::uint32_t> one_index(1);
  std::vector<float> one_value(1);
  tutti_pairs small{one_index.data(), one_value.data(), 0, rank.rank == 0 ? 1u : 0u};
  tutti_sparse_report report{};
  refused(tutti_sparse_allreduce(&in, 10, TUTTI_FLOAT32, 0, nullptr, &small, &report, rank.comm), TUTTI_ERROR_ARGUMENT,
          "the result has 2 pairs", rank);
  demand(small.count == 2 && report.result_pairs == 2, "the needed room is not told");
  demand(sparse(0) == TUTTI_OK && out[4] == static_cast<float>(rank.size), "the communicator is not usable afterwards");
}

void check_special_values(const Rank& rank) {
  std::vector<float> values(1000, 0), out(1000);
  values[10] = INFINITY;
  values[20] = std::nanf("");
  values[30] = 5;
  tutti_topk select{};
  select.k = 2;
  call(tutti_topk_allreduce(values.data(), 1000, TUTTI_FLOAT32, &select, nullptr, out.data(), nullptr, nullptr,
                            rank.comm),
       rank.comm, "special values");
  demand(std::isinf(out[10]) && std::isnan(out[20]) && out[30] == 0, "NaN and infinity do not come first");
}

// Another k on one rank, or another meaning.
void check_mismatch(const Rank& rank, bool meaning) {
  if (rank.size == 1) return;
  tutti_comm* own = nullptr;
  call(tutti_comm_duplicate(rank.comm, &own), rank.comm, "tutti_comm_duplicate");
  std::vector<float> values(100, 1), out(100);
  tutti_topk select{};
  select.k = !meaning && rank.rank == 1 ? 6 : 5;
  select.meaning = meaning && rank.rank == 1 ? TUTTI_GLOBAL : TUTTI_UNION;
  const int code =
      tutti_topk_allreduce(values.data(), 100, TUTTI_FLOAT32, &select, nullptr, out.data(), nullptr, nullptr, own);
  const std::string message = tutti_error_message(own);
  demand(code == TUTTI_ERROR_MISMATCH, std::string("a mismatch gave ") + tutti_result_name(code) + ": " + message);
  demand(message.find("k 5") != std::string::npos && message.find("all ranks must call the same") != std::string::npos,
         "the mismatch is not told: " + message);
  call(tutti_barrier(rank.comm), rank.comm, "tutti_barrier");
  call(tutti_comm_free(own), rank.comm, "tutti_comm_free");
}

void run_all(tutti_comm* comm, bool full) {
  Rank rank;
  rank.comm = comm;
  call(tutti_comm_rank(comm, &rank.rank), comm, "tutti_comm_rank");
  call(tutti_comm_size(comm, &rank.size), comm, "tutti_comm_size");
  for (const Case& c : cases(rank.size, full)) {
    try {
      if (c.float64)
        run_case<double>(c, rank);
      else
        run_case<float>(c, rank);
    } catch (const std::exception& wrong) {
      throw std::runtime_error(describe(c) + " on rank " + std::to_string(rank.rank) + " of " +
                               std::to_string(rank.size) + ": " + wrong.what());
    }
  }
  check_broadcast(rank);
  check_wide_indices(rank);
  check_refusals(rank);
  check_special_values(rank);
  check_mismatch(rank, false);
  check_mismatch(rank, true);
}

int run_threads(int size, bool full) {
  std::vector<tutti_comm*> comms(static_cast<std::size_t>(size));
  call(tutti_init_threads(size, comms.data()), nullptr, "tutti_init_threads");
  std::mutex mutex;
  int failures = 0;
  std::vector<std::thread> threads;
  for (tutti_comm* comm : comms)
    threads.emplace_back([&, comm] {
      try {
        run_all(comm, full);
      } catch (const std::exception& wrong) {
        const std::lock_guard guard(mutex);
        std::printf("FAILED: %s\n", wrong.what());
        ++failures;
        tutti_comm_abort(comm, "the test failed");
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (tutti_comm* comm : comms) tutti_comm_free(comm);
  if (failures == 0) std::printf("%d ranks: all cases are right\n", size);
  std::fflush(stdout);
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) try {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  const auto has = [&](const char* word) { return std::find(words.begin(), words.end(), word) != words.end(); };
  if (has("threads")) {
    for (int size = 1; size <= 9; ++size)
      if (run_threads(size, has("--full")) != 0) return 1;
    return 0;
  }
  tutti_comm* comm = nullptr;
  call(tutti_init_from_env(&comm), nullptr, "tutti_init_from_env");
  run_all(comm, has("--full"));
  call(tutti_comm_free(comm), nullptr, "tutti_comm_free");
  return 0;
} catch (const std::exception& wrong) {
  std::printf("FAILED: %s\n", wrong.what());
  return 1;
}
