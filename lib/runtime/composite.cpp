// Stages one after another, and how a communicator runs them; see composite.hpp.
#include "runtime/composite.hpp"

#include <algorithm>

#include "bootstrap/log.hpp"

namespace tutti {
namespace {

// Where the transport takes any length, messages are cut so that a receiver's copies overlap with what still comes.
constexpr std::uint64_t usual_message = 1u << 20;

}  // namespace

Composite::~Composite() { cancel(); }

void Composite::cancel() {
  if (execution_) execution_->cancel();
  end_stage();
}

void Composite::end_stage() {
  if (entry_) {
    --entry_->busy;
    entry_->idle.push_back(std::move(execution_));
    entry_ = nullptr;
  }
  execution_.reset();
  plan_.reset();
}

Execution* Composite::next() {
  end_stage();
  try {
    return proceed();
  } catch (const std::exception& wrong) {
    // The others would wait for the stages that do not come.
    communicator_.abort(fmt::format("{} could not go on: {}", describe(call_), wrong.what()));
    throw;
  }
}

Execution* Composite::exchange(const Exchange& what, const void* in, void* out, bool control) {
  const std::uint64_t bytes = tutti::sent_bytes(what);
  sent_bytes_ += bytes;
  if (control) control_bytes_ += bytes;
  const Wiring& wiring = communicator_.wiring_;
  const std::uint64_t most = wiring.transport->traits().max_message;
  plan_ = make_exchange_plan(call_, choice_, rank(), what, most == 0 ? usual_message : std::min(most, usual_message));
  execution_ = std::make_unique<Execution>(*plan_, wiring);
  execution_->sign(check_);
  execution_->start(in, out, sequence_);
  return execution_.get();
}

Execution* Composite::dense(const Call& call, const void* in, void* out, bool control) {
  entry_ = &communicator_.plan_for(call, in == out);
  execution_ = communicator_.idle_execution(*entry_);
  ++entry_->busy;
  const std::uint64_t bytes = tutti::sent_bytes(execution_->plan());
  sent_bytes_ += bytes;
  if (control) control_bytes_ += bytes;
  execution_->sign(check_);
  execution_->start(in, out, sequence_);
  return execution_.get();
}

void Communicator::start(std::unique_ptr<Composite> composite, Started& started) {
  const Call& call = composite->call();
  context_->check_process();
  if (poison_ || context_->board().generation() != generation_seen_) {
    learn_failures();
    if (poison_) fail();
  }
  if (context_->settings().check) agree(call);
  if (wiring_.transport->early_messages && outstanding_ == 0) check_strays();
  started.composite = std::move(composite);
  ++outstanding_;
  sequence_ = (sequence_ + 1) & sequence_mask;
  context_->board().note_call({wiring_.channel, sequence_, call, lineage_});
  wiring_.transport->open(wiring_.channel, sequence_);
  history_ = (history_ ^ hash(call)) * 0x9e3779b1u + sequence_;
  started.composite->begin(sequence_, history_);
  started.running = {nullptr, this, false, nullptr, started.composite.get()};
  try {
    started.running.execution = started.composite->next();
  } catch (...) {
    --outstanding_;
    throw;
  }
  if (started.running.execution)
    context_->add(&started.running);
  else
    started.running.complete = true;
}

void Communicator::force_algorithms(std::string_view spec, std::string_view origin) {
  std::string others(spec);
  sparse_overrides_ = SparseOverrides::take(others, origin);
  overrides_ = Overrides::parse(others, origin);
}

// What the variable lists takes the place of all that the tuning file lists.
void Communicator::force_job_algorithms() {
  const std::string& variable = context_->settings().algorithms;
  const Tuning* tuning = context_->tuning();
  if (variable.empty() && tuning != nullptr)
    force_algorithms(tuning->algorithms, tuning->algorithms_origin);
  else
    force_algorithms(variable, "TUTTI_ALGORITHM");
}

Choice Communicator::choose_sparse(const SparseQuestion& question) {
  if (context_->settings().explain && rank_ == 0)
    log_line(LogLevel::error, explain_sparse(question, context_->machine(), sparse_overrides_, overrides_));
  return tutti::choose_sparse(question, context_->machine(), sparse_overrides_, overrides_);
}

void Communicator::run(std::unique_ptr<Composite> composite, std::unique_lock<FairMutex>& held) {
  Started started;
  start(std::move(composite), started);
  complete(started, held);
}

void Communicator::complete_composite(Started& started) {
  --outstanding_;
  const auto composite = std::move(started.composite);
  composite->finish();
}

}  // namespace tutti
