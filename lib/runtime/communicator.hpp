// A communicator: a group of ranks with a channel of its own. It turns calls into plans and runs them.
#pragma once

#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "error.hpp"
#include "runtime/context.hpp"
#include "scheduler/sparse_choice.hpp"

namespace tutti {

class Composite;

class Communicator {
 public:
  // The ranks of the job that `members` lists; empty: all.
  // `failures_before`: how many failures had been announced before any rank could use it.
  Communicator(std::shared_ptr<Context> context, std::vector<int> members, std::uint32_t channel,
               std::uint64_t failures_before = 0);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  Context& context() { return *context_; }
  int job_rank(int rank) const { return members_.empty() ? rank : members_[static_cast<std::size_t>(rank)]; }

  // A plan with the executions that are ready to run it again.
  struct PlanEntry {
    std::unique_ptr<Plan> plan;
    std::vector<std::unique_ptr<Execution>> idle;
    int busy = 0;
  };

  // Throws TUTTI_ERROR_ARGUMENT where a call cannot be meant so.
  void check(const Call& call, const void* input, const void* output) const {
    check_shape(meant(call));
    check_buffers(call, {&input, 1}, output);
  }
  // Runs a call to its end.
  void run(const Call& call, const void* input, void* output, std::unique_lock<FairMutex>& held);

  // An operation that the caller completes later.
  struct Started {
    Started();
    ~Started();
    Started(Started&&) noexcept;
    Started& operator=(Started&&) noexcept;

    Running running;
    std::unique_ptr<Composite> composite;  // in place of an execution and its entry
    std::unique_ptr<Execution> execution;
    PlanEntry* entry = nullptr;
    Device* device = nullptr;   // that holds the buffers; null: the host
    void* move_from = nullptr;  // reduce-scatter in place: where the result lies,
    void* move_to = nullptr;    // and where the caller wants it
    std::size_t move_bytes = 0;
    std::unique_ptr<std::byte[]> copied;  // alltoall in place: the input
    std::uint64_t progress_seen = 0;      // by test(), and since when
    std::chrono::steady_clock::time_point progress_since{};
  };
  void start(const Call& call, const void* input, void* output, Started& started);
  void start(std::unique_ptr<Composite> composite, Started& started);
  void run(std::unique_ptr<Composite> composite, std::unique_lock<FairMutex>& held);
  // The sum of several vectors of each rank; any of them may be the output. They may be different numbers of vectors.
  void run_reproducible(const Call& call, std::span<const void* const> inputs, void* output,
                        std::unique_lock<FairMutex>& held);
  void check_call(const Call& call) const { check_shape(call); }
  // What this rank would send in a call whose payload is dense.
  std::uint64_t dense_bytes(const Call& call, bool in_place) { return sent_bytes(*plan_for(call, in_place).plan); }
  // From now on sums and averages of floating types are reproducible, or not.
  void set_reproducible(bool on) {
    reproducible_ = on;
    repeatable_ = nullptr;
  }
  bool reproducible() const { return reproducible_; }
  void complete(Started& started, std::unique_lock<FairMutex>& held);  // waits
  bool test(Started& started);
  void forget(Started& started);  // gives its execution back

  std::unique_ptr<Communicator> split(int color, int key);
  // A communicator for one persistent request: what fails in it fails here too, and the other way round.
  std::unique_ptr<Communicator> make_for_request();
  std::unique_ptr<Communicator> shrink();
  void abort(const std::string& reason);
  void set_algorithms(std::string_view spec);
  Choice choice(const Call& call);
  Choice choose_sparse(const SparseQuestion& question);
  std::string explain(const Call& call);

  // ---- for Context ----
  void misfit(const Execution& execution);  // throws what a message that does not fit means
  [[noreturn]] void broken(const Execution& execution, const Error& failure);  // a transport gave up
  void check_failures(Running& running);
  void look_around(const Execution& execution, std::chrono::steady_clock::duration waited);

  std::string message;  // of the last error

 private:
  friend class Composite;  // its stages run as this communicator's operations do

  struct PlanKey {
    Call call;
    bool in_place = false;
    bool operator==(const PlanKey&) const = default;
  };
  struct HashPlanKey {
    std::size_t operator()(const PlanKey& key) const;
  };

  void check_shape(const Call& call) const;
  void check_buffers(const Call& call, std::span<const void* const> inputs, const void* output) const;
  void check_buffer(const Call& call, const void* input, const void* output) const;
  Call meant(const Call& call) const;
  void start_with(const Call& call, std::span<const void* const> inputs, void* output, Started& started);
  std::unique_ptr<Plan> make_plan_for(const Call& call, bool in_place);
  void complete_composite(Started& started);
  void agree(const Call& call);
  void check_strays();
  PlanEntry& plan_for(const Call& call, bool in_place);
  std::unique_ptr<Execution> idle_execution(PlanEntry& entry);
  void force_algorithms(std::string_view spec, std::string_view origin);
  void force_job_algorithms();
  void learn_news();
  void* look_up(const Call& call, const void* input, void* output, Started& started);
  bool launch(const Call& call, std::span<const void* const> inputs, void* output, Started& started, int tries = 1);
  bool begin(const Call& call, std::span<const void* const> inputs, void* output, Started& started);
  bool begin(const Call& call, const void* input, void* output, Started& started) {
    return begin(call, {&input, 1}, output, started);
  }
  bool repeats(const Call& call, const void* input, const void* output) const;
  void forget_plans();
  void run_inside(const Call& call, const void* input, void* output);
  bool is_member(int job) const;
  bool concerns(const Failure& failure) const;
  void learn_failures();
  void take_poison(const Failure& failure);
  void poison(const Failure& failure);
  [[noreturn]] void fail();
  [[noreturn]] void give_up(const Failure& failure);
  void look_for_dead(const Execution& execution, const Execution::Awaited& awaited);
  void look_for_mismatch(const Execution& execution, const Execution::Awaited& awaited);
  void look_for_late(const Execution& execution, const Execution::Awaited& awaited,
                     std::chrono::steady_clock::duration waited);
  int truly_late(int job) const;
  std::string state_of(int job, const Execution& execution) const;
  std::optional<std::string> first_difference(int job) const;
  std::string where(const Execution& execution, int peer = -1) const;  // with the transport towards this rank
  Question question(const Call& call) const;
  ShapePtr shape_of_members() const;
  std::uint32_t child_lineage(std::uint32_t number) const;

  std::shared_ptr<Context> context_;
  std::vector<int> members_;
  int rank_ = -1;
  int size_ = 0;
  ShapePtr shape_;  // null where all its ranks share a node
  Wiring wiring_;
  std::uint32_t sequence_ = 0;
  Overrides overrides_;
  SparseOverrides sparse_overrides_;
  bool reproducible_ = false;
  std::unordered_map<PlanKey, PlanEntry, HashPlanKey> plans_;
  PlanKey last_key_;
  PlanEntry* last_entry_ = nullptr;
  // The last blocking call, where a repetition needs no second look, and its buffers.
  PlanEntry* repeatable_ = nullptr;
  const void* last_input_ = nullptr;
  const void* last_output_ = nullptr;
  std::uint32_t history_ = 0;  // a hash of all calls until now
  std::uint32_t generation_seen_ = 0;
  std::uint64_t failures_before_ = 0;
  std::uint32_t lineage_ = 0;          // the same on all members: from which communicator, by which of its calls
  std::uint32_t failure_channel_ = 0;  // that of the communicator whose failures are this one's too
  std::uint32_t shrinks_ = 0;
  struct {  // a peer that was awaited and had said goodbye, and the progress at that time
    int peer = -1;
    std::uint64_t progress = 0;
    std::chrono::steady_clock::time_point since{};
  } gone_;
  std::optional<Failure> poison_;
  std::chrono::steady_clock::time_point next_warning_{};
  std::chrono::steady_clock::time_point next_look_{};
  int outstanding_ = 0;  // operations that have begun and not been given back
  std::uint32_t looks_ = 0;
};

}  // namespace tutti
