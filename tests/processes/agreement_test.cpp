// Do the executors agree with the reference? The same cases for threads of this process and for real processes:
//
//   agreement_test threads [OPTION...]                 1 to 9 ranks; TUTTI_TRANSPORT=shm: over shared memory
//   tutti run -n N agreement_test job [OPTION...]      the cases of N ranks
//
//   --seed S      another slice
//   --full        the whole product; hours. It says how far it is, and may be cut short and taken up again:
//   --share I/N   one of N equal parts, I from 0, to run several at once
//   --from K      beginning with case K
#include "tests/processes/agreement.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

using namespace tutti;
using namespace tutti::testing;

namespace {

constexpr int most_ranks = 9;
constexpr auto between_reports = std::chrono::seconds(20);

struct Options {
  bool threads = false;
  bool full = false;
  std::uint64_t seed = 1;
  std::uint64_t share = 0, shares = 1, from = 0;
};

Options parse(int count, char** arguments) {
  Options options;
  const std::string usage = "agreement_test threads|job [--seed S] [--full] [--share I/N] [--from K]";
  if (count < 2) throw std::invalid_argument(usage);
  const std::string mode = arguments[1];
  if (mode != "threads" && mode != "job") throw std::invalid_argument(usage);
  options.threads = mode == "threads";
  for (int i = 2; i < count; ++i) {
    const std::string name = arguments[i];
    if (name == "--full") {
      options.full = true;
      continue;
    }
    if (i + 1 == count) throw std::invalid_argument(usage);
    const std::string value = arguments[++i];
    const std::size_t slash = value.find('/');
    if (name == "--seed") {
      options.seed = std::stoull(value);
    } else if (name == "--from") {
      options.from = std::stoull(value);
    } else if (name == "--share" && slash != std::string::npos) {
      options.share = std::stoull(value.substr(0, slash));
      options.shares = std::stoull(value.substr(slash + 1));
    } else {
      throw std::invalid_argument(usage);
    }
  }
  if (options.share >= options.shares) throw std::invalid_argument(usage);
  return options;
}

// The ranks of one communicator, whether threads or this process alone.
void open_rank(Rank& rank, tutti_comm* comm) {
  rank.comm = comm;
  call(tutti_comm_rank(comm, &rank.rank), "tutti_comm_rank");
  call(tutti_comm_size(comm, &rank.size), "tutti_comm_size");
  call(tutti_comm_duplicate(comm, &rank.control), "tutti_comm_duplicate");
}

void close_rank(Rank& rank) {
  call(tutti_comm_free(rank.control), "tutti_comm_free");
  call(tutti_comm_free(rank.comm), "tutti_comm_free");
}

class Report {
 public:
  explicit Report(const Rank& rank) : speaks_(rank.rank == 0) {}
  void done(std::uint64_t number, const Case& c) {
    ++cases_;
    const auto now = std::chrono::steady_clock::now();
    if (!speaks_ || now - last_ < between_reports) return;
    last_ = now;
    std::printf("case %llu of %d ranks is right: %s\n", static_cast<unsigned long long>(number), c.size,
                describe(c).c_str());
    std::fflush(stdout);
  }
  std::uint64_t cases() const { return cases_; }

 private:
  bool speaks_;
  std::uint64_t cases_ = 0;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// One case, if it is one of this run's; a failure says how to run it again.
void run_numbered(std::uint64_t number, const Case& c, Rank& rank, const Options& options, Report& report) {
  if (c.size != rank.size || number < options.from || number % options.shares != options.share) return;
  try {
    run_case(c, rank);
  } catch (const std::exception& wrong) {
    const std::string which = options.full ? "--full" : fmt::format("--seed {}", options.seed);
    throw std::runtime_error(fmt::format("case {0} ({1} --share {0}/1000000000): {2}", number, which, wrong.what()));
  }
  report.done(number, c);
}

// All cases for as many ranks as there are here; how many they were.
std::uint64_t run_cases(Rank& rank, const Options& options, const std::vector<Case>& slice) {
  Report report(rank);
  if (options.full) {
    visit_product([&](std::uint64_t number, const Case& c) { run_numbered(number, c, rank, options, report); });
    return report.cases();
  }
  for (std::size_t i = 0; i < slice.size(); ++i) run_numbered(i, slice[i], rank, options, report);
  if (options.share == 0) run_scenarios(rank, options.seed);
  return report.cases();
}

// One failure ends all: the others would wait for a rank that has gone.
class Failures {
 public:
  void note(tutti_comm* comm, const std::string& message) {
    {
      const std::lock_guard guard(lock_);
      if (first_.empty()) first_ = message;
    }
    if (comm) tutti_comm_abort(comm, "the agreement test failed");
  }
  const std::string& first() const { return first_; }

 private:
  std::mutex lock_;
  std::string first_;
};

std::uint64_t run_rank(Rank rank, tutti_comm* comm, const Options& options, const std::vector<Case>& slice,
                       Failures& failures) {
  try {
    open_rank(rank, comm);
    const std::uint64_t cases = run_cases(rank, options, slice);
    close_rank(rank);
    return cases;
  } catch (const std::exception& wrong) {
    failures.note(comm, wrong.what());
    return 0;
  }
}

std::uint64_t run_threads(const Rank& model, int size, const Options& options, const std::vector<Case>& slice,
                          Failures& failures) {
  std::vector<tutti_comm*> comms(static_cast<std::size_t>(size));
  call(tutti_init_threads(size, comms.data()), "tutti_init_threads");
  std::vector<std::thread> threads;
  std::uint64_t cases = 0;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      const std::uint64_t done = run_rank(model, comms[static_cast<std::size_t>(rank)], options, slice, failures);
      if (rank == 0) cases = done;
    });
  for (std::thread& thread : threads) thread.join();
  return cases;
}

}  // namespace

int main(int count, char** arguments) try {
  const Options options = parse(count, arguments);
  Rank model;
  call(tutti_op_create(combine_any_order, nullptr, 1, &model.any_order), "tutti_op_create");
  call(tutti_op_create(combine_rank_order, nullptr, 0, &model.rank_order), "tutti_op_create");
  const std::vector<Case> slice = options.full ? std::vector<Case>{} : pairwise_slice(options.seed);
  Failures failures;
  std::uint64_t cases = 0;
  if (options.threads) {
    for (int size = 1; size <= most_ranks && failures.first().empty(); ++size) {
      const std::uint64_t done = run_threads(model, size, options, slice, failures);
      std::printf("%d ranks: %llu cases\n", size, static_cast<unsigned long long>(done));
      std::fflush(stdout);
      cases += done;
    }
  } else {
    tutti_comm* comm = nullptr;
    call(tutti_init_from_env(&comm), "tutti_init_from_env");
    cases = run_rank(model, comm, options, slice, failures);
  }
  if (!failures.first().empty()) throw std::runtime_error(failures.first());
  if (cases == 0) throw std::runtime_error("no case was run");
  return 0;
} catch (const std::invalid_argument& usage) {
  std::fprintf(stderr, "usage: %s\n", usage.what());
  return 2;
} catch (const std::exception& wrong) {
  std::fprintf(stderr, "FAILED: %s\n", wrong.what());
  return 1;
}
