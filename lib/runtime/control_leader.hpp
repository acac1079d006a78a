// What the leader of a node does, in a thread that sleeps until the system wakes it; see control_tree.hpp.
#pragma once

#include <poll.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bootstrap/store_connection.hpp"
#include "runtime/control.hpp"
#include "runtime/control_message.hpp"

namespace tutti {

class ControlLeader {
 public:
  // `socket` listens.
  ControlLeader(Board& board, int socket, std::chrono::milliseconds timeout);
  ControlLeader(const ControlLeader&) = delete;
  ControlLeader& operator=(const ControlLeader&) = delete;
  ~ControlLeader() { finish(); }

  // Its node hangs on another one, or is the one on which all hang.
  bool is_connected() const { return connected_; }
  std::string wanted() const;  // whom it tries to reach
  // Tells what is left to tell, at most for a short time, and ends.
  void finish();
  // In a forked child: the thread is the parent's.
  void abandon() { thread_.detach(); }

 private:
  using Clock = std::chrono::steady_clock;

  // The leader of another node, or somebody who has not shown yet that he is one.
  struct Neighbour {
    explicit Neighbour(StoreConnection made) : connection(std::move(made)), since(Clock::now()) {}
    StoreConnection connection;
    Clock::time_point since;
    int node = -1;
    int rank = -1;
    int process = 0;
    bool upwards = false;
    bool lost = false;
    bool silent = false;  // it did not end: nothing came for too long
  };
  // A rank of this node, and the descriptor that tells its end.
  struct Local {
    int rank = -1;
    FileDescriptor process;
    bool told = false;
  };
  // A leader whose connection ended while its node may have another one, who says more.
  struct Suspect {
    int rank = -1;
    int process = 0;
    Clock::time_point until;
  };

  void run();
  void adopt();
  void sleep();
  void accept_some();
  void read(Neighbour& neighbour);
  void take(Neighbour& from, control::Message& message);
  void greet(Neighbour& neighbour);
  void welcome(Neighbour& from, const control::Hello& hello);
  void route(Neighbour& from, const control::Question& question);
  void route(Neighbour& from, const control::Answer& answer);
  void look_at_locals(bool all);
  void look_at_suspects();
  void spread_news();
  void ask();
  void tell(const control::Message& message, const Neighbour* but = nullptr);
  void tell(Neighbour& neighbour, const control::Message& message);
  void tell_towards(int node, const control::Message& message, const Neighbour* but);
  void end(int rank, RankState state, int process, const Neighbour* from);
  void climb();
  std::vector<int> candidates() const;
  void probe(int node);
  std::unique_ptr<Neighbour> reach(int node);
  void bury();
  bool has_others(int node, int but) const;
  bool is_upwards_known() const;
  void tune(int socket) const;

  Board& board_;
  int listening_;
  std::chrono::milliseconds timeout_;
  int node_;
  control::Addresses addresses_;
  std::optional<Secret> secret_;
  std::vector<std::vector<int>> members_;  // of each node
  FileDescriptor bell_;
  std::vector<std::unique_ptr<Neighbour>> neighbours_;
  std::map<int, Neighbour*> via_;  // towards a node
  // A node of which nothing is heard: since when all its ranks' ports refuse, or do not answer.
  struct Quiet {
    std::optional<Clock::time_point> refused, silent;
    Clock::time_point next{};
  };
  std::map<int, Quiet> quiet_;
  std::vector<Local> locals_;
  std::vector<Suspect> suspects_;
  std::vector<control::Ended> ended_;  // all that is known
  std::vector<DecisionNews> decisions_;
  std::uint64_t failures_told_ = 0;
  std::optional<Clock::time_point> alone_since_;
  Clock::time_point next_climb_{};
  Clock::time_point next_round_{};
  std::atomic<bool> connected_{false};
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace tutti
