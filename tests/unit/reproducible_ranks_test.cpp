// Reproducible sums between ranks: the same bits for all algorithms, 1 to 16 ranks, shuffled ranks, and any split of
// the same summands over vectors and ranks, over threads and over shared memory.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "algorithms/algorithm.hpp"
#include "tests/unit/ranks_of_threads.hpp"

namespace tutti::test {
namespace {

constexpr std::size_t count = 1003;
constexpr std::size_t summands = 16;
using Matrix = std::vector<std::vector<double>>;

// Summands of very different sizes, some of which cancel.
Matrix numbers() {
  std::mt19937_64 random(1);
  std::cauchy_distribution<double> heavy;
  Matrix vectors(summands, std::vector<double>(count));
  for (auto& vector : vectors)
    for (double& each : vector) each = std::ldexp(heavy(random), static_cast<int>(random() % 40));
  for (std::size_t i = 0; i < count; i += 3) vectors[3][i] = -vectors[5][i];
  return vectors;
}

std::vector<double> local_sum(const Matrix& vectors) {
  std::vector<double> out(count);
  std::vector<const void*> list;
  for (const auto& vector : vectors) list.push_back(vector.data());
  REQUIRE(tutti_reproducible_sum(list.data(), list.size(), out.data(), count, TUTTI_FLOAT64, TUTTI_SUM) == TUTTI_OK);
  return out;
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return std::memcmp(a.data(), b.data(), count * sizeof(double)) == 0;
}

// Which rank has each summand, every rank at least one.
std::vector<int> split(int size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<int> owner;
  for (int s = 0; s < static_cast<int>(summands); ++s)
    owner.push_back(s < size ? s : static_cast<int>(random() % static_cast<unsigned>(size)));
  std::shuffle(owner.begin(), owner.end(), random);
  return owner;
}

std::vector<std::string> algorithms_of(Kind kind, int size) {
  std::vector<std::string> names;
  for (const Algorithm& algorithm : catalogue())
    if (algorithm.kind == kind && algorithm.refuses(size, algorithm.parameter.fallback).empty())
      names.emplace_back(algorithm.name);
  return names;
}

// Every collective that sums, in every form, on one communicator.
class Forms {
 public:
  Forms(tutti_comm* comm, const std::vector<double>& own, const std::vector<double>& right)
      : comm_(comm), own_(own), right_(right) {
    tutti_comm_rank(comm, &rank_);
  }

  void allreduce() {
    std::vector<double> out(count);
    demand(tutti_allreduce(own_.data(), out.data(), count, TUTTI_FLOAT64, TUTTI_SUM, comm_) == TUTTI_OK, "allreduce");
    demand(same(out, right_), "allreduce has other bits");
  }

  void nonblocking() {
    std::vector<double> in_place = own_;
    tutti_request* request = nullptr;
    demand(tutti_iallreduce(in_place.data(), in_place.data(), count, TUTTI_FLOAT64, TUTTI_SUM, comm_, &request) == 0,
           "iallreduce");
    // Another operation begins while that one is between its stages.
    std::int32_t one = 1;
    demand(tutti_allreduce(&one, &one, 1, TUTTI_INT32, TUTTI_SUM, comm_) == 0 && one == summands, "one beside it");
    demand(tutti_wait(request) == TUTTI_OK && same(in_place, right_), "iallreduce has other bits");
  }

  void persistent() {
    std::vector<double> out(count);
    tutti_request* request = nullptr;
    demand(tutti_allreduce_init(own_.data(), out.data(), count, TUTTI_FLOAT64, TUTTI_SUM, comm_, &request) == 0,
           "init");
    for (int repeat = 0; repeat < 2; ++repeat) {
      std::fill(out.begin(), out.end(), -1.0);
      demand(tutti_start(request) == TUTTI_OK && tutti_wait(request) == TUTTI_OK, "start");
      demand(same(out, right_), "the persistent form has other bits");
    }
    tutti_request_free(request);
  }

  void reduce() {
    std::vector<double> out(count);
    demand(tutti_reduce(own_.data(), out.data(), count, TUTTI_FLOAT64, TUTTI_SUM, 3, comm_) == TUTTI_OK, "reduce");
    demand(rank_ != 3 || same(out, right_), "reduce has other bits");
  }

  // The whole vector is cut into blocks; what is left over is left out.
  void reduce_scatter() {
    constexpr std::size_t block = count / summands;
    const double* const right = right_.data() + static_cast<std::size_t>(rank_) * block;
    const auto is_right = [&](const double* found) { return std::memcmp(found, right, block * sizeof(double)) == 0; };
    std::vector<double> in_place = own_, out(block);
    for (const char* setting : {"", "reduce-scatter=ring(window=2K)"}) {
      demand(tutti_comm_set_algorithm(comm_, setting) == TUTTI_OK, "set");
      demand(tutti_reduce_scatter(own_.data(), out.data(), block, TUTTI_FLOAT64, TUTTI_SUM, comm_) == 0, setting);
      demand(is_right(out.data()), "reduce-scatter has other bits");
    }
    demand(tutti_reduce_scatter(in_place.data(), in_place.data(), block, TUTTI_FLOAT64, TUTTI_SUM, comm_) == 0,
           "place");
    demand(is_right(in_place.data()), "reduce-scatter in place has other bits");
    demand(std::equal(in_place.begin() + block, in_place.end(), own_.begin() + block), "changed the other blocks");
  }

 private:
  tutti_comm* comm_;
  const std::vector<double>& own_;
  const std::vector<double>& right_;
  int rank_ = 0;
};

}  // namespace

TEST_CASE("any split of the same summands over ranks and vectors gives the same bits, by every algorithm") {
  const Matrix vectors = numbers();
  const std::vector<double> right = local_sum(vectors);
  for (const char* transport : {"threads", "shm"})
    for (const int size : {1, 2, 3, 4, 5, 7, 8, 9, 13, 16}) {
      const std::vector<int> owner = split(size, static_cast<unsigned>(size));
      const auto names = algorithms_of(Kind::allreduce, size);
      REQUIRE(names.size() >= 6);
      on_ranks(size, transport, [&](tutti_comm* comm, int rank) {
        std::vector<const void*> own;
        for (std::size_t s = 0; s < summands; ++s)
          if (owner[s] == rank) own.push_back(vectors[s].data());
        for (const std::string& name : names)
          for (const char* window : {"", "(window=4K, in-flight=3)"}) {
            const std::string what = name + window + " on " + std::to_string(size) + " ranks of " + transport;
            demand(tutti_comm_set_algorithm(comm, ("allreduce=" + name + window).c_str()) == TUTTI_OK, what);
            std::vector<double> out(count, -1);
            const int result =
                tutti_reproducible_allreduce(own.data(), own.size(), out.data(), count, TUTTI_FLOAT64, TUTTI_SUM, comm);
            // One cache line for each of very many blocks may not fit such a window; the algorithm then says so.
            if (*window != '\0' && result == TUTTI_ERROR_UNSUPPORTED) continue;
            demand(result == TUTTI_OK, what);
            demand(same(out, right), what + " has other bits");
          }
      });
    }
}

TEST_CASE("plain calls on a reproducible communicator give the bits of the local sum, in every form") {
  const Matrix vectors = numbers();
  const std::vector<double> right = local_sum(vectors);
  const int size = static_cast<int>(summands);
  for (const char* transport : {"threads", "shm"})
    on_ranks(size, transport, [&](tutti_comm* comm, int rank) {
      demand(tutti_comm_set_reproducible(comm, 1) == TUTTI_OK, "set");
      tutti_comm* shuffled = nullptr;
      demand(tutti_comm_split(comm, 0, (rank * 7) % size, &shuffled) == TUTTI_OK, "split");
      for (tutti_comm* over : {comm, shuffled}) {
        Forms forms(over, vectors[static_cast<std::size_t>(rank)], right);
        forms.allreduce();
        forms.nonblocking();
        forms.persistent();
        forms.reduce();
        forms.reduce_scatter();
      }
      tutti_comm_free(shuffled);
    });
}

TEST_CASE("averages, complex numbers and integers on a reproducible communicator mean what they mean elsewhere") {
  on_ranks(4, "threads", [](tutti_comm* comm, int rank) {
    demand(tutti_comm_set_reproducible(comm, 1) == TUTTI_OK, "set");
    float parts[4] = {1.0f * static_cast<float>(rank), 2, -3, 0.5f};
    demand(tutti_allreduce(parts, parts, 2, TUTTI_COMPLEX64, TUTTI_SUM, comm) == TUTTI_OK, "complex");
    demand(parts[0] == 6 && parts[1] == 8 && parts[2] == -12 && parts[3] == 2, "the complex sum");
    double number = rank;
    demand(tutti_allreduce(&number, &number, 1, TUTTI_FLOAT64, TUTTI_AVG, comm) == 0 && number == 1.5, "average");
    number = rank;
    demand(tutti_allreduce(&number, &number, 1, TUTTI_FLOAT64, TUTTI_MAX, comm) == 0 && number == 3, "maximum");
    std::int32_t integer = rank;
    demand(tutti_allreduce(&integer, &integer, 1, TUTTI_INT32, TUTTI_SUM, comm) == 0 && integer == 6, "integers");
    demand(tutti_allreduce(nullptr, nullptr, 0, TUTTI_FLOAT64, TUTTI_SUM, comm) == TUTTI_OK, "nothing");
    char text[200];
    demand(tutti_comm_choice(comm, "allreduce", 100, TUTTI_FLOAT64, TUTTI_SUM, 0, text, sizeof text) == 0, "choice");
  });
}

TEST_CASE("ranks that differ in being reproducible are a mismatch, not a hang") {
  on_ranks(2, "threads", [](tutti_comm* comm, int rank) {
    demand(tutti_comm_set_reproducible(comm, rank) == TUTTI_OK, "set");
    double numbers[2] = {1, 2};
    const int first = tutti_allreduce(numbers, numbers, 2, TUTTI_FLOAT64, TUTTI_SUM, comm);
    const int next = tutti_allreduce(numbers, numbers, 2, TUTTI_FLOAT64, TUTTI_SUM, comm);
    demand(first == TUTTI_ERROR_MISMATCH || next == TUTTI_ERROR_MISMATCH, "was not found");
    demand(std::string(tutti_error_message(comm)).find("reproducible") != std::string::npos, "does not name it");
  });
}

TEST_CASE("a reproducible call with bad input is refused before anything is sent") {
  on_ranks(2, "threads", [](tutti_comm* comm, int) {
    double numbers[3] = {1, 2, 3};
    const void* inputs[] = {numbers};
    const auto refused = [&](const void* const* list, std::size_t vectors, void* out, tutti_type type, tutti_op op) {
      return tutti_reproducible_allreduce(list, vectors, out, 2, type, op, comm) == TUTTI_ERROR_ARGUMENT;
    };
    demand(refused(inputs, 0, numbers, TUTTI_FLOAT64, TUTTI_SUM), "no vector");
    demand(refused(nullptr, 1, numbers, TUTTI_FLOAT64, TUTTI_SUM), "no list");
    demand(refused(inputs, 1, nullptr, TUTTI_FLOAT64, TUTTI_SUM), "no output");
    demand(refused(inputs, 1, numbers + 1, TUTTI_FLOAT64, TUTTI_SUM), "overlap");
    demand(refused(inputs, 1, numbers, TUTTI_INT32, TUTTI_SUM), "type");
    demand(refused(inputs, 1, numbers, TUTTI_FLOAT64, TUTTI_PROD), "operation");
    demand(tutti_reproducible_allreduce(inputs, 1, numbers, 2, TUTTI_FLOAT64, TUTTI_SUM, comm) == TUTTI_OK, "then");
    demand(numbers[1] == 4, "the sum");
  });
}

}  // namespace tutti::test
