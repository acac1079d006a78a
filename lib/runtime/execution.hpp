// A collective in progress: a plan with buffers, run window by window. A window keeps the steps beyond its oldest
// unfinished one in two words, started and done; a step may begin when the word of what it waits for is covered.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "payload/memory.hpp"
#include "runtime/plan.hpp"
#include "transports/transport.hpp"

namespace tutti {

// What an operation needs of its communicator.
struct Wiring {
  Transport* transport = nullptr;
  const int* peers = nullptr;  // rank of the communicator -> rank of the transport; nullptr: the same
  std::uint32_t channel = 0;
  int peer(int rank) const { return peers ? peers[rank] : rank; }
};

// A message that does not fit the call: another call's hash, or another length.
struct Misfit {
  int peer = -1;  // rank of the communicator; -1: none
  std::uint32_t check = 0;
  std::uint64_t bytes = 0;
  std::uint64_t expected_bytes = 0;
};

class Execution {
 public:
  Execution(const Plan& plan, const Wiring& wiring);
  ~Execution();
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  // Fills the addresses in and begins. `sequence` counts the communicator's operations.
  // `device` holds both buffers, or is null.
  void start(const void* input, void* output, std::uint32_t sequence, Device* device = nullptr);
  // The same for several vectors of a rank, which an encoding takes together. The list must last until the end.
  void start(std::span<const void* const> inputs, void* output, std::uint32_t sequence);
  // What the messages of this operation bear: a hash of this call and all before it on its communicator.
  void sign(std::uint32_t check) { check_ = check; }
  // Of an encoding that rounds by random numbers.
  void seed(std::uint64_t seed) { seed_ = seed; }
  // Does what can be done now, without waiting. True once the operation is complete, or a misfit was found.
  bool advance();

  const Plan& plan() const { return *plan_; }
  std::uint32_t sequence() const { return sequence_; }
  const Misfit& misfit() const { return misfit_; }
  // Counts all that ever happened in this operation: a waiter sees by it whether there was progress.
  std::uint64_t progress() const { return progress_; }
  // The peers whose messages are awaited, and the first step that waits: for messages about who is late.
  struct Awaited {
    std::vector<int> peers;
    int step = -1;
    bool sending = false;  // waits for the peer to take a message
  };
  Awaited awaited() const;
  // Withdraws everything, so that neither a peer nor a device touches the buffers any more.
  void cancel();

 private:
  // Where a step is: with the transport; arrived; with a kernel; the transport again, or nothing left.
  enum class Phase : std::uint8_t { transport, leased, kernel, staged };

  struct StepState {
    Send send;
    Receive receive;
    Piece piece;  // of a send from one place
    Phase phase = Phase::transport;
    std::unique_ptr<std::byte[]> staging;  // an arrival that had to leave the transport, or a device's message
    void* device_staging = nullptr;
    std::uint64_t ticket = 0;    // of the device's kernel that runs
    std::uint32_t next_run = 0;  // for the device's next kernel
    std::uint64_t offset = 0;    // of that run in the message
  };

  struct Window {
    const PlanStage* stage = nullptr;
    const Program* program = nullptr;
    std::uint32_t index = 0;
    std::int32_t head = 0;      // oldest unfinished step
    std::uint64_t started = 0;  // bit i: step head + i
    std::uint64_t done = 0;
    std::vector<StepState> steps;  // by step modulo its length, a power of two
    std::vector<Piece> pieces;     // most_runs for each of them
    std::vector<std::byte*> bases;
    std::vector<std::uint16_t> aside_readers;
    std::vector<Receive> leases;  // kept, by aside area
    std::unique_ptr<std::byte[]> scratch;
    std::unique_ptr<std::byte[]> wide;      // encoded: the elements of all stages
    std::vector<std::byte*> wide_elements;  // by stage
    void* device_scratch = nullptr;
    std::uint32_t idle_passes = 0;
    bool active = false;
    bool dividing = false;
    std::uint64_t ticket = 0;
  };

  bool may_open_window() const;
  void open_window(Window& window);
  void enter_stage(Window& window, const PlanStage& stage);
  bool close_window(Window& window);
  bool step_window(Window& window);
  bool may_begin(const Window& window, std::int32_t step) const;
  bool run_step(Window& window, std::int32_t index, bool ready);
  bool run_send(Window& window, const PlanStep& step, StepState& state);
  bool run_receive(Window& window, const PlanStep& step, StepState& state, bool ready);
  void run_copy(Window& window, const PlanStep& step);
  void run_fold(Window& window, const PlanStep& step);
  bool fits(const PlanStep& step, const Receive& receive);
  void begin_send(Window& window, const PlanStep& step, StepState& state);
  void share_earlier(Window& window, const PlanStep& step, StepState& state);
  void begin_receive(const Window& window, const PlanStep& step, StepState& state);
  void combine(Window& window, const PlanStep& step, const std::byte* arrived);
  void scatter(Window& window, const PlanStep& step, const std::byte* arrived);
  std::byte* forward_room(Window& window, const PlanStep& step);
  void mark_done(Window& window, std::int32_t step);
  void finished_reading(Window& window, const PlanStep& step);
  void stage(StepState& state, std::uint64_t bytes);
  void stage_leases(Window& window);
  void give_back_leases(Window& window);
  template <class Visit>
  void for_each_open(Window& window, Visit visit);
  // The same on a device's memory, where each kernel is started and completes later (execution_device.cpp).
  bool run_on_device(Window& window, std::int32_t index, const PlanStep& step, StepState& state, bool ready);
  bool device_send(Window& window, const PlanStep& step, StepState& state);
  bool device_receive(Window& window, const PlanStep& step, StepState& state, bool ready);
  bool device_kernel(Window& window, const PlanStep& step, StepState& state);
  bool device_divide(Window& window);
  void release_device(StepState& state);
  // The passes of an encoded payload (execution_encoded.cpp).
  void make_room(Window& window);
  void place_bases(Window& window);
  void encode(Window& window);
  void decode(Window& window);
  template <class Pass>
  void for_each_slice(const Window& window, bool of_all_ranks, std::uint64_t own_at, Pass pass);
  std::uint64_t elements_of(const Window& window) const;
  std::uint32_t tag_of(const Window& window) const {
    return window.index * static_cast<std::uint32_t>(plan_->stages.size()) +
           static_cast<std::uint32_t>(window.stage - plan_->stages.data());
  }
  StepState& state_of(Window& window, std::int32_t step) {
    return window.steps[static_cast<std::size_t>(step) & (window.steps.size() - 1)];
  }
  static std::byte* at(const Window& window, Location place) { return window.bases[place.base] + place.offset; }

  const Plan* plan_;
  Wiring wiring_;
  std::size_t inline_bytes_;
  Device* device_ = nullptr;
  const void* input_ = nullptr;
  std::span<const void* const> inputs_;
  std::byte* output_ = nullptr;
  std::uint32_t sequence_ = 0;
  std::uint32_t check_ = 0;
  std::uint64_t seed_ = 0;
  std::uint32_t next_window_ = 0;
  std::uint32_t finished_windows_ = 0;
  std::uint64_t progress_ = 0;
  std::vector<Window> windows_;
  std::uint64_t scratch_bytes_ = 0;  // of a window
  std::vector<const void*> fold_sources_;
  Misfit misfit_;
};

}  // namespace tutti
