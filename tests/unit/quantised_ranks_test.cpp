// Quantised collectives between ranks: the same bits on all of them, errors that do not grow with their number, bytes
// that truly travelled, mixed wires, and what is refused.
#include <cmath>
#include <cstring>
#include <random>

#include "algorithms/algorithm.hpp"
#include "tests/unit/ranks_of_threads.hpp"

namespace tutti::test {
namespace {

constexpr std::size_t count = 3000;

std::vector<float> numbers_of(int rank, std::size_t how_many = count) {
  std::mt19937 random(static_cast<unsigned>(rank) + 100);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(how_many);
  for (float& each : numbers) each = normal(random);
  return numbers;
}

tutti_quantisation wire(tutti_wire which, std::uint32_t block = 0, int stochastic = 0, std::uint64_t seed = 0) {
  tutti_quantisation how{};
  how.bytes = sizeof how;
  how.wire = which;
  how.block = block;
  how.stochastic = stochastic;
  how.seed = seed;
  return how;
}

tutti_report empty_report(int measure) {
  tutti_report report{};
  report.bytes = sizeof report;
  report.measure = measure;
  return report;
}

void demand_same_everywhere(tutti_comm* comm, int size, const std::vector<float>& numbers, const std::string& what) {
  std::vector<float> all(numbers.size() * static_cast<std::size_t>(size));
  demand(tutti_allgather(numbers.data(), all.data(), numbers.size(), TUTTI_FLOAT32, comm) == TUTTI_OK, what);
  for (int rank = 1; rank < size; ++rank)
    demand(
        std::memcmp(all.data() + static_cast<std::size_t>(rank) * numbers.size(), all.data(), numbers.size() * 4) == 0,
        what + ": ranks have different bits");
}

// The largest error that two roundings of numbers up to `largest` and sums up to `sum` may have; see docs/quantised.md.
double bound(tutti_wire which, double largest, double sum, int size) {
  constexpr double to_nearest[] = {0, 0.5 / 127, 0.5 / 7, 0.5, 1.0 / 16, 1.0 / 8, 1.0 / 256};
  const double step = to_nearest[which];
  return step * (size * largest + sum * (1 + step)) * 2;  // twice for stochastic rounding
}

}  // namespace

TEST_CASE("quantised allreduce gives all ranks the same bits within the bound, over every transport") {
  for (const char* transport : {"threads", "shm"})
    for (int size = 1; size <= 9; ++size)
      on_ranks(size, transport, [&](tutti_comm* comm, int rank) {
        const std::vector<float> own = numbers_of(rank);
        std::vector<double> exact(count);
        double largest = 0, largest_sum = 0;
        for (int other = 0; other < size; ++other) {
          const auto numbers = numbers_of(other);
          for (std::size_t i = 0; i < count; ++i) {
            exact[i] += numbers[i];
            largest = std::max(largest, std::fabs(static_cast<double>(numbers[i])));
          }
        }
        for (const double each : exact) largest_sum = std::max(largest_sum, std::fabs(each));
        for (const tutti_wire which :
             {TUTTI_WIRE_INT8, TUTTI_WIRE_INT4, TUTTI_WIRE_INT2, TUTTI_WIRE_E4M3, TUTTI_WIRE_E5M2, TUTTI_WIRE_BFLOAT16})
          for (const int stochastic : {0, 1}) {
            const tutti_quantisation how = wire(which, 64, stochastic, 42);
            std::vector<float> out(count), again = own;
            const std::string what = "wire " + std::to_string(which) + " on " + std::to_string(size) + " ranks";
            demand(tutti_quantised_allreduce(own.data(), out.data(), count, TUTTI_FLOAT32, TUTTI_SUM, &how, comm,
                                             nullptr) == TUTTI_OK,
                   what);
            demand(tutti_quantised_allreduce(again.data(), again.data(), count, TUTTI_FLOAT32, TUTTI_SUM, &how, comm,
                                             nullptr) == TUTTI_OK,
                   what);
            demand(out == again, what + ": in place, or repeated, it gives other bits");
            demand_same_everywhere(comm, size, out, what);
            const double most = bound(which, largest, largest_sum + 1, size);
            for (std::size_t i = 0; i < count; ++i)
              demand(std::fabs(out[i] - exact[i]) <= most, what + ": beyond the bound");
          }
      });
}

TEST_CASE("every algorithm of one combine runs quantised, any other is refused with its depth") {
  constexpr int size = 5;
  on_ranks(size, "threads", [&](tutti_comm* comm, int rank) {
    const std::vector<float> own = numbers_of(rank);
    const tutti_quantisation how = wire(TUTTI_WIRE_INT8);
    std::vector<float> first;
    int ran = 0, refused = 0;
    for (const Algorithm& algorithm : catalogue()) {
      if (algorithm.kind != Kind::allreduce) continue;
      demand(tutti_comm_set_algorithm(comm, ("allreduce=" + std::string(algorithm.name)).c_str()) == TUTTI_OK, "set");
      std::vector<float> out(count);
      const int result =
          tutti_quantised_allreduce(own.data(), out.data(), count, TUTTI_FLOAT32, TUTTI_SUM, &how, comm, nullptr);
      const std::string message = tutti_error_message(comm);
      if (result == TUTTI_OK) {
        if (first.empty()) first = out;
        demand(out == first, std::string(algorithm.name) + " has other bits");
        ++ran;
      } else {
        demand(result == TUTTI_ERROR_UNSUPPORTED, "another error");
        if (message.find("would round as often") != std::string::npos) ++refused;
      }
    }
    demand(ran >= 2 && refused >= 2, "too few ran or were refused");
  });
}

TEST_CASE("broadcast, allgather, reduce-scatter and averages travel quantised too") {
  for (const char* transport : {"threads", "shm"})
    for (const int size : {1, 2, 3, 4})
      on_ranks(size, transport, [&](tutti_comm* comm, int rank) {
        const tutti_quantisation how = wire(TUTTI_WIRE_INT8, 128);
        const auto ranks = static_cast<std::size_t>(size);
        const auto own = numbers_of(rank);
        const float step = 6.0f / 127;  // of numbers below 6
        std::vector<float> numbers = own;
        demand(tutti_quantised_broadcast(numbers.data(), count, TUTTI_FLOAT32, size - 1, &how, comm, nullptr) == 0,
               "broadcast");
        demand_same_everywhere(comm, size, numbers, "broadcast");
        const auto sent = numbers_of(size - 1);
        for (std::size_t i = 0; i < count; ++i) demand(std::fabs(numbers[i] - sent[i]) <= step, "broadcast is wrong");

        std::vector<float> all(count * ranks), in_place(count * ranks);
        std::copy(own.begin(), own.end(), in_place.begin() + static_cast<std::ptrdiff_t>(count) * rank);
        demand(tutti_quantised_allgather(own.data(), all.data(), count, TUTTI_FLOAT32, &how, comm, nullptr) == 0,
               "allgather");
        demand(
            tutti_quantised_allgather(in_place.data(), in_place.data(), count, TUTTI_FLOAT32, &how, comm, nullptr) == 0,
            "allgather in place");
        demand(all == in_place, "allgather in place gives other bits");
        demand_same_everywhere(comm, size, all, "allgather");
        for (int other = 0; other < size; ++other) {
          const auto theirs = numbers_of(other);
          for (std::size_t i = 0; i < count; ++i)
            demand(std::fabs(all[static_cast<std::size_t>(other) * count + i] - theirs[i]) <= step,
                   "allgather is wrong");
        }

        const auto wide = numbers_of(rank, count * ranks);
        std::vector<float> block(count), whole(count * ranks);
        demand(tutti_quantised_reduce_scatter(wide.data(), block.data(), count, TUTTI_FLOAT32, TUTTI_AVG, &how, comm,
                                              nullptr) == TUTTI_OK,
               "reduce-scatter");
        demand(tutti_allreduce(wide.data(), whole.data(), whole.size(), TUTTI_FLOAT32, TUTTI_AVG, comm) == 0,
               "allreduce");
        for (std::size_t i = 0; i < count; ++i)
          demand(std::fabs(block[i] - whole[static_cast<std::size_t>(rank) * count + i]) <= 2 * step, "reduce-scatter");
      });
}

TEST_CASE("segments keep their own wires, and the report says what each of them sent") {
  constexpr int size = 4;
  on_ranks(size, "threads", [&](tutti_comm* comm, int rank) {
    const auto own = numbers_of(rank);
    std::vector<float> out(count), dense(count);
    const tutti_segment segments[] = {{2000, 500, TUTTI_WIRE_DENSE}, {0, 100, TUTTI_WIRE_BFLOAT16}};
    tutti_quantisation how = wire(TUTTI_WIRE_INT4, 64);
    how.segments = segments;
    how.segment_count = 2;
    tutti_report report = empty_report(1);
    demand(tutti_comm_set_algorithm(comm, "allreduce=two-shot") == TUTTI_OK, "set");
    demand(tutti_quantised_allreduce(own.data(), out.data(), count, TUTTI_FLOAT32, TUTTI_SUM, &how, comm, &report) == 0,
           "mixed");
    demand(tutti_allreduce(own.data(), dense.data(), count, TUTTI_FLOAT32, TUTTI_SUM, comm) == 0, "dense");
    demand(std::memcmp(out.data() + 2000, dense.data() + 2000, 500 * 4) == 0, "the dense segment lost something");
    demand_same_everywhere(comm, size, out, "mixed");
    // sent_by_width counts 2, 4, 8, 16, 32 and 64 bits.
    demand(report.sent_by_width[1] > 0 && report.sent_by_width[3] > 0 && report.sent_by_width[4] > 0, "widths");
    demand(report.sent_by_width[0] == 0 && report.sent_by_width[2] == 0 && report.sent_by_width[5] == 0,
           "other widths");
    demand(report.sent_bytes == report.sent_by_width[1] + report.sent_by_width[3] + report.sent_by_width[4], "sum");
    demand(report.ratio > 3 && report.ratio < 8, "ratio");
    demand(report.max_abs_error > 0 && report.snr_db > 10 && report.nrmse > 0 && report.nrmse < 0.1, "errors");
  });
}

TEST_CASE("the report counts every byte that a rank hands to the transport") {
  on_ranks(2, "threads", [&](tutti_comm* comm, int rank) {
    const auto own = numbers_of(rank, 2048);
    std::vector<float> out(2048);
    tutti_report report = empty_report(0);
    const tutti_quantisation how = wire(TUTTI_WIRE_INT8, 256);
    demand(tutti_comm_set_algorithm(comm, "allreduce=two-shot") == TUTTI_OK, "set");
    demand(tutti_quantised_allreduce(own.data(), out.data(), 2048, TUTTI_FLOAT32, TUTTI_SUM, &how, comm, &report) == 0,
           "8 bits");
    // Each rank sends the half that the other sums, then the half that it has summed itself: all blocks once.
    demand(report.sent_bytes == 8 * (256 + 4), "bytes: " + std::to_string(report.sent_bytes));
    demand(report.dense_bytes == 2048 * 4, "dense bytes: " + std::to_string(report.dense_bytes));
  });
}

TEST_CASE("the error of a quantised sum does not grow with the ranks beyond the numbers it adds") {
  double relative[2];
  int at = 0;
  for (const int size : {2, 8}) {
    double found = 0;
    on_ranks(size, "threads", [&](tutti_comm* comm, int rank) {
      const auto own = numbers_of(rank);
      std::vector<float> out(count);
      tutti_report report = empty_report(1);
      const tutti_quantisation how = wire(TUTTI_WIRE_INT8);
      demand(
          tutti_quantised_allreduce(own.data(), out.data(), count, TUTTI_FLOAT32, TUTTI_SUM, &how, comm, &report) == 0,
          "sum");
      if (rank == 0) found = report.snr_db;
    });
    relative[at++] = found;
  }
  CHECK(relative[0] > 30);
  CHECK(relative[1] > relative[0] - 2);  // dB
}

TEST_CASE("NaN and infinity show in the result, and zeros stay zeros") {
  on_ranks(3, "threads", [&](tutti_comm* comm, int rank) {
    std::vector<float> numbers(512, 0.0f), out(512);
    if (rank == 1) numbers[300] = std::numeric_limits<float>::infinity();
    const tutti_quantisation how = wire(TUTTI_WIRE_INT4, 256);
    demand(
        tutti_quantised_allreduce(numbers.data(), out.data(), 512, TUTTI_FLOAT32, TUTTI_SUM, &how, comm, nullptr) == 0,
        "sum");
    for (std::size_t i = 0; i < 512; ++i) demand(i < 256 ? out[i] == 0.0f : std::isnan(out[i]), "its block is NaN");
  });
}

TEST_CASE("a quantised call with bad input is refused, and seeds that differ are a mismatch") {
  on_ranks(2, "threads", [&](tutti_comm* comm, int rank) {
    auto own = numbers_of(rank);
    std::vector<float> out(count);
    const auto run = [&](const tutti_quantisation& how, tutti_type type = TUTTI_FLOAT32, tutti_op op = TUTTI_SUM) {
      return tutti_quantised_allreduce(own.data(), out.data(), count / 2, type, op, &how, comm, nullptr);
    };
    const auto refuse = [&](int result, const char* word) {
      demand(result == TUTTI_ERROR_ARGUMENT, std::string("not refused: ") + word);
      demand(std::string(tutti_error_message(comm)).find(word) != std::string::npos, word);
    };
    tutti_quantisation how = wire(TUTTI_WIRE_INT8);
    refuse(run(wire(static_cast<tutti_wire>(9))), "wire 9");
    refuse(run(wire(TUTTI_WIRE_INT8, 100)), "power of two");
    refuse(run(wire(TUTTI_WIRE_INT8, 2048)), "1024");
    refuse(run(how, TUTTI_INT32), "int32");
    refuse(run(how, TUTTI_FLOAT32, TUTTI_MAX), "sum and avg");
    how.bytes = 3;
    refuse(run(how), "sizeof");
    const tutti_segment crossing[] = {{0, 10, TUTTI_WIRE_DENSE}, {9, 2, TUTTI_WIRE_INT4}};
    const tutti_segment beyond[] = {{count, 1, TUTTI_WIRE_DENSE}};
    how = wire(TUTTI_WIRE_INT8);
    how.segments = crossing;
    how.segment_count = 2;
    refuse(run(how), "overlap");
    how.segments = beyond;
    how.segment_count = 1;
    refuse(run(how), "but the vector has");
    how.segments = nullptr;
    refuse(run(how), "null");
    demand(tutti_quantised_allreduce(own.data(), out.data(), 1, TUTTI_FLOAT32, TUTTI_SUM, nullptr, comm, nullptr) ==
               TUTTI_ERROR_ARGUMENT,
           "no description");
    demand(run(wire(TUTTI_WIRE_INT8)) == TUTTI_OK, "a good call after all that");
    const int first = run(wire(TUTTI_WIRE_INT8, 64, 1, static_cast<std::uint64_t>(rank)));
    const int next = run(wire(TUTTI_WIRE_INT8, 64, 1, static_cast<std::uint64_t>(rank)));
    demand(first == TUTTI_ERROR_MISMATCH || next == TUTTI_ERROR_MISMATCH, "seeds differ");
  });
}

}  // namespace tutti::test
