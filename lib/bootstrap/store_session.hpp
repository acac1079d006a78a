// One meeting of the ranks at a server: its board, and the ranks that wait for something on it. Answers are
// collected for the server to send; nothing here knows of sockets.
//
// The k-th time that a rank joins, it joins the k-th session: each tutti_init_from_env of a job, and each program that
// runs one after the other in the same ranks, finds a board of its own, free of what others left.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bootstrap/store_board.hpp"
#include "bootstrap/store_message.hpp"

namespace tutti {

class StoreSession {
 public:
  using Clock = std::chrono::steady_clock;
  using Answers = std::vector<std::pair<int, StoreReply>>;  // rank, answer

  explicit StoreSession(int size) : board_(size), presence_(static_cast<std::size_t>(size), Presence::absent) {}

  void join(int rank, std::string host);
  // A rank's connection ended; ranks that wait for it at a fence are told.
  void leave(int rank, Answers& answers);
  // Answers the request now or, for a get or a fence, when it is fulfilled or its limit passed. A rank has one
  // request at a time.
  void handle(int rank, const StoreRequest& request, Clock::time_point now, Answers& answers);
  void expire(Clock::time_point now, Answers& answers);
  std::optional<Clock::time_point> next_deadline() const;
  // All ranks came and went.
  bool is_over() const;

 private:
  enum class Presence : char { absent, here, gone };
  struct Wait {
    StoreOperation operation;
    std::string name;
    std::uint64_t ticket;
    std::chrono::milliseconds limit;
    Clock::time_point deadline;
  };

  void wait(int rank, const StoreRequest& request, std::uint64_t ticket, Clock::time_point now);
  void answer_getters(const std::string& key, Answers& answers);
  void enter_fence(int rank, const StoreRequest& request, Clock::time_point now, Answers& answers);
  void fail_fences_without(int gone, Answers& answers);
  std::string left_text(const std::string& fence) const;
  StoreReply too_late(const Wait& wait) const;

  StoreBoard board_;
  std::vector<Presence> presence_;
  std::map<int, std::string> hosts_;
  std::map<int, Wait> waiting_;  // by rank
};

}  // namespace tutti
