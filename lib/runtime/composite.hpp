// A composite: a collective of several stages, where what a stage sends depends on what the one before has found. Each
// stage is an execution of its own, all under one call: one sequence number, one hash, one request, one deadline.
//
// Stages share the tags of their call. That is safe because a rank begins a stage after all messages of the one before
// have come and gone, and messages of a pair with one tag keep their order.
#pragma once

#include <memory>

#include "runtime/communicator.hpp"
#include "runtime/exchange.hpp"

namespace tutti {

class Composite {
 public:
  Composite(Communicator& communicator, const Call& call) : communicator_(communicator), call_(call) {}
  virtual ~Composite();
  Composite(const Composite&) = delete;
  Composite& operator=(const Composite&) = delete;

  const Call& call() const { return call_; }
  // The execution of the next stage, which has begun; null once all is complete. Ends the stage before.
  Execution* next();
  // After the last stage: hands over results. Throws what the caller is to know; other ranks do not depend on it.
  virtual void finish() {}

  // ---- for Communicator ----
  void begin(std::uint32_t sequence, std::uint32_t check) {
    sequence_ = sequence;
    check_ = check;
  }
  void cancel();

 protected:
  virtual Execution* proceed() = 0;

  // One stage: an exchange, or a dense collective. `control`: sizes and thresholds, counted apart.
  Execution* exchange(const Exchange& what, const void* in, void* out, bool control = false);
  Execution* dense(const Call& call, const void* in, void* out, bool control = false);

  int rank() const { return communicator_.rank(); }
  int size() const { return communicator_.size(); }

  Communicator& communicator_;
  Call call_;
  Choice choice_;                    // named in errors; set it before the first stage
  std::uint64_t sent_bytes_ = 0;     // by this rank, all stages
  std::uint64_t control_bytes_ = 0;  // of those, sizes and thresholds

 private:
  void end_stage();

  std::uint32_t sequence_ = 0;
  std::uint32_t check_ = 0;
  std::unique_ptr<Plan> plan_;  // of an exchange
  std::unique_ptr<Execution> execution_;
  Communicator::PlanEntry* entry_ = nullptr;  // of a dense stage
};

}  // namespace tutti
