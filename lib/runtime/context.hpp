// What the communicators of one rank share: its transport, the control plane, the waiting, and the operations in
// progress. Everything that once came from one tutti_init_* call.
#pragma once

#include <atomic>
#include <bitset>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "bootstrap/store.hpp"
#include "runtime/control.hpp"
#include "runtime/control_leader.hpp"
#include "runtime/control_tree.hpp"
#include "runtime/execution.hpp"
#include "runtime/fair_mutex.hpp"
#include "schedule/cache.hpp"
#include "scheduler/choice.hpp"
#include "scheduler/tuning.hpp"
#include "transports/transport.hpp"

namespace tutti {

class Communicator;
class Composite;

// Seconds of DESIGN's faults, and the other settings that hold for a whole job.
struct Settings {
  std::chrono::milliseconds late_timeout{0};  // 0: wait for ever for a live rank
  std::chrono::milliseconds start_timeout{60000};
  std::chrono::milliseconds timeout{60000};  // without a sign of life: dead
  bool check = false;                        // agree on each call before it runs
  bool explain = false;                      // print each choice
  bool reproducible = false;                 // of floating sums
  std::string algorithms;
  static Settings from_environment();
};

// An operation that runs, and what it belongs to.
struct Running {
  Execution* execution = nullptr;
  Communicator* communicator = nullptr;
  bool complete = false;
  std::exception_ptr failure;
  Composite* composite = nullptr;  // whose stage the execution is
};

class Context {
 public:
  // Joins the job: makes the transport, tells its address through the store, reaches all others. Collective.
  static std::shared_ptr<Context> join(Identity identity);
  // All ranks of one process, rank r at index r.
  static std::vector<std::shared_ptr<Context>> within_process(int size);
  ~Context();

  int rank() const { return rank_; }
  int size() const { return size_; }
  Transport& transport() { return *transport_; }
  Board& board() { return *board_; }
  // Sees to it that somebody leads this node in the control plane.
  void tend_control() {
    if (control_) control_->tend();
  }
  // Peers that the system says cannot be reached; empty text: not known to be so. Asks the transport.
  struct Lost {
    std::string reason;
    std::chrono::steady_clock::time_point since;
  };
  const Lost* lost(int rank);
  const Machine& machine() const { return machine_; }
  const Settings& settings() const { return settings_; }
  // Rank 0's tuning file; null where there is none.
  const Tuning* tuning() const { return tuning_ ? &*tuning_ : nullptr; }
  // The node of each rank of the job; nodes are numbered in the order of their lowest ranks. The same on all ranks.
  const std::vector<int>& nodes() const { return nodes_; }
  ScheduleCache<ScheduleKey, ScheduleKeyHash>& schedules() { return schedules_; }

  // Throws TUTTI_ERROR_FORK in a child that was forked after the start.
  void check_process() const {
    if (*alive_page_ != 1) [[unlikely]]
      throw_forked();
  }
  bool is_forked() const { return *alive_page_ != 1; }

  // Calls of several threads take turns while a progress thread runs; without one, a context belongs to one thread at a
  // time.
  std::unique_lock<FairMutex> lock() {
    return threaded_.load(std::memory_order_relaxed) ? std::unique_lock(mutex_) : std::unique_lock<FairMutex>();
  }
  void progress_thread(bool on);

  // Operations in progress, in the order in which they began.
  void add(Running* running);
  void remove(Running* running);
  // How often a call may be gone on with before it joins them: while there are none, and each rank has a core, nobody
  // else waits for this thread.
  int tries_alone() const { return running_.empty() && cores_are_enough_ ? polls_alone : 1; }
  // Goes on with every operation in turn.
  void progress();
  // For who polls: looks around where `running` has made no progress for a while.
  void look_after(Running& running, std::uint64_t& progress_seen, std::chrono::steady_clock::time_point& since);
  // Until `running` is complete; throws what ended it.
  void wait(Running& running, std::unique_lock<FairMutex>& held);

  // Numbers that tell communicators apart on the wire: bits of those that are free here.
  std::vector<std::uint64_t> free_channels() const;
  void take_channel(std::uint32_t channel);
  void give_channel(std::uint32_t channel);
  // A communicator that failed leaves messages behind, and others may still come; they hold what the transport needs
  // for others. sweep() drops them, slowly.
  void abandon_channel(std::uint32_t channel) { abandoned_.push_back(channel); }
  void sweep();
  static constexpr std::uint32_t channel_count = 0x0f00;
  static constexpr int polls_alone = 256;  // some microseconds

 private:
  Context(int rank, int size);
  [[noreturn]] static void throw_forked();
  void describe_machine(int cores);
  void use_tuning(std::string_view text, const std::string& file);
  void describe_network();  // where ranks sit on several nodes
  void play_nodes();
  void look_around(Running& running, std::chrono::steady_clock::duration waited);
  bool has_next_stage(Running& running);
  void finish(Running& running);
  bool goes_on(Running& running);
  void let_others_in(std::unique_lock<FairMutex>& held);
  void poll(Running& running, std::unique_lock<FairMutex>& held);

  int rank_;
  int size_;
  Settings settings_;
  Machine machine_;
  std::optional<Tuning> tuning_;
  std::vector<int> nodes_;
  ScheduleCache<ScheduleKey, ScheduleKeyHash> schedules_;
  std::shared_ptr<Transport> transport_;
  std::shared_ptr<Board> board_;
  std::unique_ptr<ControlTree> control_;  // where the job spans nodes
  std::map<int, Lost> lost_;
  // Ranks of one process read each other's memory: it stays until the last of them has gone.
  std::shared_ptr<std::vector<std::shared_ptr<void>>> household_;
  std::bitset<channel_count> channels_;
  std::vector<std::uint32_t> abandoned_;
  volatile char* alive_page_ = nullptr;  // wiped to 0 in a forked child
  bool cores_are_enough_ = true;
  std::vector<Running*> running_;

  std::atomic<bool> threaded_{false};
  FairMutex mutex_;
  std::uint32_t pollers_ = 0;  // threads in wait(), which make progress themselves
  std::condition_variable_any work_;
  std::thread thread_;
  bool ending_ = false;
};

}  // namespace tutti
