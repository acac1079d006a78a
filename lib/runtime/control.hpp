// The control plane: inside a node a board of shared memory that works when transports and the store are dead. It
// tells who lives, who has said goodbye, what each rank called last, and what has failed.
//
// Death comes from the kernel: each rank holds a robust mutex on the board, which the kernel marks when the
// process ends, however it ends; no thread of anybody needs to run for it to be seen.
//
// Where a job spans nodes, each has a board with entries for all ranks. Those of other nodes are what the tree between
// the nodes (control_tree.hpp) has brought: deaths and goodbyes as they happen, the rest when somebody asks.
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/plan.hpp"
#include "runtime/published.hpp"
#include "transports/shm/segment.hpp"

namespace tutti {

// One call as a rank remembers it.
inline constexpr std::uint32_t no_channel = 0xffffffffu;
struct CallRecord {
  std::uint32_t channel = 0;
  std::uint32_t sequence = 0;
  Call call;
  std::uint32_t lineage = 0;  // tells the communicator from others that had its channel before
};

// Something that ended operations: of one channel, or of all that contain a dead rank.
struct Failure {
  tutti_result code = TUTTI_OK;
  std::int32_t culprit = -1;  // rank of the job; -1: nobody in particular
  std::int64_t channel = -1;  // -1: any channel that the culprit belongs to
  std::string message;
  std::int32_t reporter = -1;  // who announced it: groups without a common rank may have one channel number
};

// What a rank that has waited for a while tells the others: its call, and for whom it waits.
struct WaitRecord {
  CallRecord call;
  std::int32_t peer = -1;  // rank of the job; -1: it does not wait
};

enum class RankState : std::uint32_t { absent = 0, alive = 1, goodbye = 2, dead = 3 };

// What another node is told of a rank when it asks.
struct RankReport {
  static constexpr std::size_t calls = 64;
  RankState state = RankState::absent;
  std::int32_t process = 0;
  std::uint32_t stopped = 0;
  std::uint32_t waiting = 0;
  std::uint64_t called = 0;
  CallRecord recent[calls];
  WaitRecord wait;
  char network[4096] = {};  // its address for ranks of other nodes
};

// A step of a decision about survivors, for the other nodes.
struct DecisionNews {
  std::uint64_t key = 0;
  bool decided = false;
  std::uint32_t channel = 0;
  std::vector<int> ranks;  // who entered; the survivors where it is decided
};

class Board {
 public:
  // Rank 0 makes it and tells the others its address.
  static std::unique_ptr<Board> create(int size, Sharing sharing);
  static std::unique_ptr<Board> open(std::string_view address, int size);
  std::string address() const { return segment_.address(); }

  Board() = default;
  ~Board() { leave(); }
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  // This rank lives here from now on. `host` and the process are named in others' messages; `address` says how ranks of
  // the node reach it, `offer` what else it has. Throws TUTTI_ERROR_START where they are too long.
  void enter(int rank, const std::string& host, const std::string& address = "", const std::string& offer = "",
             const std::string& network = "");
  void leave();  // says goodbye
  std::string address(int rank) const { return entry(rank).address; }
  // Empty where the rank has not entered.
  std::string offer(int rank) const {
    return entry(rank).state.load(std::memory_order_acquire) ? entry(rank).offer : "";
  }

  // Hot path: notes what this rank calls.
  void note_call(const CallRecord& record) {
    Entry& entry = *own_;
    const std::uint64_t at = entry.calls.load(std::memory_order_relaxed);
    entry.recent[at % recent_calls].store(record);
    entry.calls.store(at + 1, std::memory_order_release);
  }
  // Hot path: has anything been announced since `seen`?
  std::uint32_t generation() const { return shared_->generation.load(std::memory_order_acquire); }

  // The call of a rank with this sequence in a communicator, if it is among its recent ones, and its newest there. What
  // another node has told of a rank may be old, and a channel is given out again: the lineage says whether it is the
  // same communicator.
  std::optional<CallRecord> call_of(int rank, std::uint32_t channel, std::uint32_t lineage,
                                    std::uint32_t sequence) const;
  std::optional<CallRecord> newest_call_of(int rank, std::uint32_t channel, std::uint32_t lineage) const;

  // Slow path: tells the others for whom this rank waits, until it waits no more.
  void note_wait(const WaitRecord& record);
  void end_wait() {
    if (own_->waiting.load(std::memory_order_relaxed) & 1) own_->waiting.fetch_add(1, std::memory_order_release);
  }
  std::optional<WaitRecord> wait_of(int rank) const;

  enum class Life { alive, goodbye, dead };
  Life life(int rank);
  bool stopped(int rank) const;      // by a signal (SIGSTOP), as far as /proc tells
  std::string name(int rank) const;  // "rank 2 (node7, process 4711)"

  // Tells everybody. The board remembers the newest of them: a failure that nobody has looked at while as many others
  // followed is lost.
  void announce(const Failure& failure);
  // Those that were announced when `failures_announced` was at least `from`.
  std::uint64_t failures_announced() const { return shared_->claimed.load(std::memory_order_acquire); }
  std::vector<Failure> failures(std::uint64_t from) const;

  // A decision that the survivors of a channel take together, for the `attempt`th time.
  // Each survivor enters, waits until every rank of `members` has entered or is dead or gone, and gets who lives, and a
  // channel that is new to all of them. Throws TUTTI_ERROR_LATE after `seconds`.
  struct Decision {
    std::vector<int> survivors;  // ranks of the job
    std::uint32_t channel = 0;
  };
  Decision agree_on_survivors(std::uint32_t channel, std::uint32_t attempt, const std::vector<int>& members,
                              double seconds, const std::function<void()>& while_waiting);

  // ---- several nodes; `nodes` must live as long as the board ----

  void spread(const std::vector<int>& nodes, std::vector<std::string> hosts);
  bool is_here(int rank) const { return nodes_ == nullptr || at_node(rank) == at_node(rank_); }
  int at_node(int rank) const { return nodes_ ? (*nodes_)[static_cast<std::size_t>(rank)] : 0; }
  int size() const { return size_; }
  int rank() const { return rank_; }
  // A text that the first rank leaves for whoever leads the node.
  void leave_text(std::string_view text);
  std::string_view text() const;

  // Asks another node what a rank does; what it answers shows here later. fetch() waits for it, at most `limit`.
  void ask(int rank) const;
  bool fetch(int rank, std::chrono::milliseconds limit) const;
  bool is_silent(int rank) const;  // its node has been asked and has not answered for a while
  std::string network_address(int rank) const { return entry(rank).network; }

  // For the rank that leads the node: it is one at a time, the next one after its death or goodbye.
  int leader() const { return shared_->leader.load(std::memory_order_acquire) - 1; }
  bool lead();
  // Where a leader that sleeps is woken: the name of a socket.
  void set_bell(const std::string& name);
  void ring() const;
  std::vector<int> take_asked();
  RankReport report(int rank) const;
  void import(int rank, const RankReport& report);
  RankState state(int rank) const { return static_cast<RankState>(entry(rank).state.load(std::memory_order_acquire)); }
  std::int32_t process(int rank) const { return entry(rank).process; }
  // True if it is news.
  bool import_state(int rank, RankState state, std::int32_t process);
  bool import(const Failure& failure);
  bool import(const DecisionNews& news);
  // All steps of decisions that are not in `known`, which they are then.
  std::vector<DecisionNews> decision_news(std::vector<DecisionNews>& known) const;

 private:
  static constexpr std::size_t recent_calls = RankReport::calls;
  static constexpr std::size_t most_failures = 1024;
  static constexpr std::size_t most_decisions = 256;
  static constexpr std::size_t most_ranks = 16384;

  struct alignas(64) Entry {
    std::atomic<std::uint64_t> calls;
    Published<CallRecord> recent[recent_calls];  // guarded by calls
    alignas(64) pthread_mutex_t alive;           // held as long as the rank lives
    std::atomic<std::uint32_t> state;            // 0: not here yet, 1: alive, 2: goodbye, 3: dead
    std::int32_t process;
    std::uint64_t born;  // when the process began: another one may get its number
    char host[64];
    char address[256];
    char offer[1024];
    char network[4096];
    std::atomic<std::uint32_t> answers;  // from another node's rank
    std::atomic<std::uint32_t> stopped;
    std::atomic<std::int64_t> asked_ms;
    std::atomic<std::int64_t> unanswered_ms;         // since when a question is open; 0: none is
    alignas(64) std::atomic<std::uint32_t> waiting;  // odd: wait_record holds
    Published<WaitRecord> wait_record;
  };
  struct FailureRecord {
    std::int32_t code;
    std::int32_t culprit;
    std::int32_t reporter;
    std::int64_t channel;
    char message[1024];
  };
  struct SharedFailure {
    std::atomic<std::uint64_t> ready;  // number of the failure that lies here, from 1; 0 while it is written
    Published<FailureRecord> record;
  };
  struct SharedDecision {
    std::atomic<std::uint64_t> key;  // first member, attempt, channel + 1; 0: free
    std::atomic<std::uint32_t> decided;
    std::uint32_t channel;
    std::atomic<std::uint64_t> entered[most_ranks / 64];
    std::atomic<std::uint64_t> survivors[most_ranks / 64];
    std::atomic<std::int32_t> decider;  // rank + 1 of who writes the decision
  };
  struct alignas(64) Shared {
    std::atomic<std::uint32_t> generation;  // failures announced, complete or not
    alignas(64) std::atomic<std::uint64_t> claimed;
    std::atomic<std::uint32_t> next_channel;
    std::atomic<std::int32_t> leader;  // rank + 1
    char bell[64];
    std::atomic<std::uint64_t> asked[most_ranks / 64];
    std::uint64_t text_bytes;
    SharedFailure failures[most_failures];
    SharedDecision decisions[most_decisions];
  };

  static std::size_t text_room(int size) { return 4096 + 512 * static_cast<std::size_t>(size); }
  static std::size_t bytes(int size) {
    return sizeof(Shared) + static_cast<std::size_t>(size) * sizeof(Entry) + text_room(size);
  }
  void attach(int size);
  SharedDecision* decision_of(std::uint64_t key);
  void put(const Failure& failure);
  // The newest of a rank's recent calls that is wanted.
  template <class Wanted>
  std::optional<CallRecord> newest(int rank, Wanted wanted) const;
  Entry& entry(int rank) const { return entries_[rank]; }

  Segment segment_;
  Shared* shared_ = nullptr;
  Entry* entries_ = nullptr;
  Entry* own_ = nullptr;
  char* text_ = nullptr;
  const std::vector<int>* nodes_ = nullptr;
  std::vector<std::string> hosts_;
  int size_ = 0;
  int rank_ = -1;
  bool within_process_ = false;
};

}  // namespace tutti
