// Operations that overlap: many outstanding ones that each rank waits for in another order, persistent ones that each
// rank starts in another order, several communicators at once, groups, and a thread that makes progress.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>

#include "tests/processes/agreement.hpp"

namespace tutti::testing {

namespace {

using Vector = std::vector<std::int64_t>;

// An operation of any kind with buffers of its own, whose result can be told.
class Piece {
 public:
  Piece(tutti_comm* comm, std::uint64_t seed) : comm_(comm) {
    call(tutti_comm_rank(comm, &rank_), "tutti_comm_rank");
    call(tutti_comm_size(comm, &size_), "tutti_comm_size");
    std::mt19937_64 random(seed);
    kind_ = static_cast<Kind>(random() % 7);
    constexpr std::size_t counts[] = {0, 1, 5, 300, 3000, 40000};
    count_ = counts[random() % std::size(counts)];
    root_ = static_cast<int>(random() % static_cast<std::uint64_t>(size_));
    salt_ = static_cast<std::int64_t>(random() % 1000);
    const auto ranks = static_cast<std::size_t>(size_);
    in_.resize(count_ * (kind_ == Kind::reduce_scatter || kind_ == Kind::alltoall ? ranks : 1));
    out_.resize(count_ * (kind_ == Kind::allgather || kind_ == Kind::alltoall ? ranks : 1));
  }

  void fill() {
    for (std::size_t i = 0; i < in_.size(); ++i) in_[i] = value(rank_, i);
    std::fill(out_.begin(), out_.end(), -1);
    if (kind_ == Kind::broadcast && rank_ == root_) out_ = in_;
  }

  void begin(tutti_request** request) {
    fill();
    call(start(request), "a nonblocking call");
  }
  void run() {
    tutti_request* request = nullptr;
    begin(&request);
    call(tutti_wait(request), "tutti_wait");
    check();
  }

  void prepare(tutti_request** request) {
    switch (kind_) {
      case Kind::allreduce:
        return call(tutti_allreduce_init(in(), out(), count_, TUTTI_INT64, TUTTI_SUM, comm_, request),
                    "allreduce_init");
      case Kind::broadcast:
        return call(tutti_broadcast_init(out(), count_, TUTTI_INT64, root_, comm_, request), "broadcast_init");
      case Kind::reduce:
        return call(tutti_reduce_init(in(), out(), count_, TUTTI_INT64, TUTTI_SUM, root_, comm_, request),
                    "reduce_init");
      case Kind::reduce_scatter:
        return call(tutti_reduce_scatter_init(in(), out(), count_, TUTTI_INT64, TUTTI_SUM, comm_, request),
                    "reduce_scatter_init");
      case Kind::allgather:
        return call(tutti_allgather_init(in(), out(), count_, TUTTI_INT64, comm_, request), "allgather_init");
      case Kind::alltoall:
        return call(tutti_alltoall_init(in(), out(), count_, TUTTI_INT64, comm_, request), "alltoall_init");
      case Kind::barrier:
        return call(tutti_barrier_init(comm_, request), "barrier_init");
    }
  }

  void check() const {
    const auto ranks = static_cast<std::size_t>(size_);
    for (std::size_t i = 0; i < out_.size() && kind_ != Kind::barrier; ++i) {
      std::int64_t right = 0;
      switch (kind_) {
        case Kind::broadcast:
          right = value(root_, i);
          break;
        case Kind::allgather:
          right = value(static_cast<int>(i / count_), i % count_);
          break;
        case Kind::alltoall:
          right = value(static_cast<int>(i / count_), static_cast<std::size_t>(rank_) * count_ + i % count_);
          break;
        case Kind::reduce:
          right = rank_ == root_ ? sum(i) : -1;
          break;
        case Kind::reduce_scatter:
          right = sum(static_cast<std::size_t>(rank_) * count_ + i);
          break;
        default:
          right = sum(i);
      }
      if (out_[i] == right) continue;
      throw std::runtime_error(fmt::format("{} of {} int64 on rank {} of {}: element {} is {}, right is {}",
                                           kind_name(kind_), count_, rank_, ranks, i, out_[i], right));
    }
  }

 private:
  int start(tutti_request** request) {
    switch (kind_) {
      case Kind::allreduce:
        return tutti_iallreduce(in(), out(), count_, TUTTI_INT64, TUTTI_SUM, comm_, request);
      case Kind::broadcast:
        return tutti_ibroadcast(out(), count_, TUTTI_INT64, root_, comm_, request);
      case Kind::reduce:
        return tutti_ireduce(in(), out(), count_, TUTTI_INT64, TUTTI_SUM, root_, comm_, request);
      case Kind::reduce_scatter:
        return tutti_ireduce_scatter(in(), out(), count_, TUTTI_INT64, TUTTI_SUM, comm_, request);
      case Kind::allgather:
        return tutti_iallgather(in(), out(), count_, TUTTI_INT64, comm_, request);
      case Kind::alltoall:
        return tutti_ialltoall(in(), out(), count_, TUTTI_INT64, comm_, request);
      default:
        return tutti_ibarrier(comm_, request);
    }
  }
  std::int64_t value(int rank, std::size_t i) const {
    return salt_ + (rank + 1) * static_cast<std::int64_t>(i % 911 + 1);
  }
  std::int64_t sum(std::size_t i) const {
    std::int64_t all = 0;
    for (int rank = 0; rank < size_; ++rank) all += value(rank, i);
    return all;
  }
  const void* in() const { return in_.data(); }
  void* out() { return out_.data(); }

  tutti_comm* comm_;
  int rank_ = 0, size_ = 1, root_ = 0;
  Kind kind_;
  std::size_t count_;
  std::int64_t salt_;
  Vector in_, out_;
};

// Pieces with their requests. Drawn alike on all ranks; each rank has an order of its own.
struct Flight {
  Flight(const std::vector<tutti_comm*>& comms, std::size_t count, std::uint64_t seed) {
    for (std::size_t i = 0; i < count; ++i)
      pieces.push_back(std::make_unique<Piece>(comms[i % comms.size()], seed * 1000 + i));
    requests.resize(count);
    order.resize(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
  }
  std::vector<std::unique_ptr<Piece>> pieces;
  std::vector<tutti_request*> requests;
  std::vector<std::size_t> order;
};

std::mt19937_64 own_order(const Rank& rank, std::uint64_t seed) {
  return std::mt19937_64(seed * 31 + static_cast<std::uint64_t>(rank.rank));
}

// Waits in the rank's own order, some by polling.
void finish(Flight& flight, std::mt19937_64& random) {
  std::shuffle(flight.order.begin(), flight.order.end(), random);
  for (std::size_t i : flight.order) {
    if (random() % 3 == 0) {
      for (int done = 0; !done; std::this_thread::yield()) call(tutti_test(flight.requests[i], &done), "tutti_test");
    } else {
      call(tutti_wait(flight.requests[i]), "tutti_wait");
    }
    flight.pieces[i]->check();
  }
}

void many_outstanding(Rank& rank, std::uint64_t seed) {
  auto random = own_order(rank, seed);
  Flight flight({rank.comm}, 200, seed);
  for (std::size_t i = 0; i < flight.pieces.size(); ++i) {
    flight.pieces[i]->begin(&flight.requests[i]);
    // A blocking one now and then, which the others must not hold back.
    if (i % 50 == 49) Piece(rank.comm, seed + i).run();
  }
  finish(flight, random);
  Flight together({rank.comm}, 50, seed + 1);
  for (std::size_t i = 0; i < 50; ++i) together.pieces[i]->begin(&together.requests[i]);
  call(tutti_wait_all(50, together.requests.data()), "tutti_wait_all");
  for (const auto& piece : together.pieces) piece->check();
}

void persistent_in_any_order(Rank& rank, std::uint64_t seed) {
  auto random = own_order(rank, seed);
  Flight flight({rank.comm}, 12, seed);
  for (std::size_t i = 0; i < 12; ++i) flight.pieces[i]->prepare(&flight.requests[i]);
  for (int round = 0; round < 8; ++round) {
    std::shuffle(flight.order.begin(), flight.order.end(), random);
    for (std::size_t i : flight.order) {
      flight.pieces[i]->fill();
      call(tutti_start(flight.requests[i]), "tutti_start");
    }
    if (round % 2) Piece(rank.comm, seed + static_cast<std::uint64_t>(round)).run();
    finish(flight, random);
  }
  for (tutti_request* request : flight.requests) call(tutti_request_free(request), "tutti_request_free");
}

void several_communicators(Rank& rank, std::uint64_t seed) {
  auto random = own_order(rank, seed);
  std::vector<tutti_comm*> comms = {rank.comm};
  for (int i = 0; i < 3; ++i) {
    tutti_comm* copy = nullptr;
    call(tutti_comm_duplicate(rank.comm, &copy), "tutti_comm_duplicate");
    comms.push_back(copy);
  }
  tutti_comm* half = nullptr;  // and a group of some ranks, which are others on the other ranks
  call(tutti_comm_split(rank.comm, rank.rank % 2, -rank.rank, &half), "tutti_comm_split");
  comms.push_back(half);
  for (std::uint64_t round = 0; round < 4; ++round) {
    Flight flight(comms, 60, seed + round);
    for (std::size_t i = 0; i < 60; ++i) flight.pieces[i]->begin(&flight.requests[i]);
    finish(flight, random);
  }
  for (std::size_t i = 1; i < comms.size(); ++i) call(tutti_comm_free(comms[i]), "tutti_comm_free");
}

void groups(Rank& rank, std::uint64_t seed) {
  // Into three colors by rank; the order is turned round; one rank takes no part.
  const bool outside = rank.size > 1 && rank.rank == 1;
  tutti_comm* group = nullptr;
  call(tutti_comm_split(rank.comm, outside ? -1 : rank.rank % 3, rank.size - rank.rank, &group), "tutti_comm_split");
  demand((group == nullptr) == outside, "a negative color, and only that, takes no part");
  if (group) {
    int place = -1, size = 0, members = 0, behind = 0;
    call(tutti_comm_rank(group, &place), "tutti_comm_rank");
    call(tutti_comm_size(group, &size), "tutti_comm_size");
    for (int other = 0; other < rank.size; ++other) {
      if (other % 3 != rank.rank % 3 || (rank.size > 1 && other == 1)) continue;
      ++members;
      behind += other > rank.rank;
    }
    demand(size == members && place == behind, "a group has other members, or another order, than was asked for");
    for (std::uint64_t i = 0; i < 30; ++i) Piece(group, seed + i).run();
    // A group of the group, and again one color for each.
    tutti_comm* alone = nullptr;
    call(tutti_comm_split(group, place, 0, &alone), "tutti_comm_split");
    for (std::uint64_t i = 0; i < 6; ++i) Piece(alone, seed + i).run();
    call(tutti_comm_free(alone), "tutti_comm_free");
    call(tutti_comm_free(group), "tutti_comm_free");
  }
  // Channels come back: more communicators over time than may be alive at once would exhaust them.
  for (int i = 0; i < 20; ++i) {
    tutti_comm* copy = nullptr;
    call(tutti_comm_duplicate(rank.comm, &copy), "tutti_comm_duplicate");
    Piece(copy, seed + static_cast<std::uint64_t>(i)).run();
    call(tutti_comm_free(copy), "tutti_comm_free");
  }
}

void progress_thread(Rank& rank, std::uint64_t seed) {
  auto random = own_order(rank, seed);
  tutti_comm* second = nullptr;
  call(tutti_comm_duplicate(rank.comm, &second), "tutti_comm_duplicate");
  call(tutti_comm_progress_thread(rank.comm, 1), "tutti_comm_progress_thread");
  Flight flight({rank.comm, second}, 40, seed);
  for (std::size_t i = 0; i < 40; ++i) flight.pieces[i]->begin(&flight.requests[i]);
  finish(flight, random);
  // Two threads that call on a communicator each, and take turns.
  std::exception_ptr failure;
  std::thread other([&] {
    try {
      for (std::uint64_t i = 0; i < 60; ++i) Piece(second, seed + i).run();
    } catch (...) {
      failure = std::current_exception();
    }
  });
  try {
    for (std::uint64_t i = 0; i < 60; ++i) Piece(rank.comm, seed + 7 * i).run();
  } catch (...) {
    tutti_comm_abort(rank.comm, "the test failed");
    other.join();
    throw;
  }
  other.join();
  if (failure) std::rethrow_exception(failure);
  call(tutti_comm_progress_thread(rank.comm, 0), "tutti_comm_progress_thread");
  call(tutti_comm_free(second), "tutti_comm_free");
}

// Ranks that are far ahead must not take a window for another one with the same tag.
void more_windows_than_tags(Rank& rank, std::uint64_t seed) {
  std::vector<std::int32_t> values(1u << 20), right(values.size());
  for (std::size_t i = 0; i < right.size(); ++i) right[i] = static_cast<std::int32_t>(i * 2654435761u + seed);
  for (const char* setting :
       {"broadcast=chain(window=1K, in-flight=3)", "broadcast=circulant(blocks=3, window=1K, in-flight=4)"}) {
    call(tutti_comm_set_algorithm(rank.comm, setting), "tutti_comm_set_algorithm");
    for (int root = 0; root < rank.size; root += 2) {
      std::fill(values.begin(), values.end(), 0);
      if (rank.rank == root) values = right;
      call(tutti_broadcast(values.data(), values.size(), TUTTI_INT32, root, rank.comm), "tutti_broadcast");
      demand(values == right, fmt::format("{}: values at the wrong place", setting));
    }
  }
  call(tutti_comm_set_algorithm(rank.comm, ""), "tutti_comm_set_algorithm");
}

struct Scenario {
  const char* name;
  void (*run)(Rank& rank, std::uint64_t seed);
};

}  // namespace

void run_scenarios(Rank& rank, std::uint64_t seed) {
  constexpr Scenario all[] = {{"many outstanding operations, waited for in any order", &many_outstanding},
                              {"persistent operations started in any order", &persistent_in_any_order},
                              {"several communicators in flight", &several_communicators},
                              {"groups of ranks", &groups},
                              {"more windows than tags", &more_windows_than_tags},
                              {"a thread that makes progress", &progress_thread}};
  call(tutti_comm_set_algorithm(rank.comm, ""), "tutti_comm_set_algorithm");
  for (const Scenario& scenario : all) try {
      scenario.run(rank, seed);
    } catch (const std::exception& wrong) {
      throw std::runtime_error(
          fmt::format("{}, on rank {} of {}: {}", scenario.name, rank.rank, rank.size, wrong.what()));
    }
}

}  // namespace tutti::testing
