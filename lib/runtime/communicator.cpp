// Calls to plans, and what becomes of them; see communicator.hpp.
#include "runtime/communicator.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "bootstrap/log.hpp"
#include "runtime/composite.hpp"
#include "schedule/schedule.hpp"

namespace tutti {

namespace {

constexpr std::size_t most_plans = 512;
// The wide elements of a window, with those of the windows beside it, are to be found in the cache by the next pass.
constexpr std::uint64_t most_encoded_window = 512 << 10;

bool rooted(Kind kind) { return kind == Kind::broadcast || kind == Kind::reduce; }
bool combines(Kind kind) { return kind == Kind::allreduce || kind == Kind::reduce || kind == Kind::reduce_scatter; }

std::string_view memory_name(const Device* device) { return device ? device->name() : "host"; }

bool overlap(const void* a, std::uint64_t a_bytes, const void* b, std::uint64_t b_bytes) {
  const auto x = reinterpret_cast<std::uintptr_t>(a), y = reinterpret_cast<std::uintptr_t>(b);
  return x < y + b_bytes && y < x + a_bytes;
}

}  // namespace

Communicator::Communicator(std::shared_ptr<Context> context, std::vector<int> members, std::uint32_t channel,
                           std::uint64_t failures_before)
    : context_(std::move(context)),
      members_(std::move(members)),
      failures_before_(failures_before),
      failure_channel_(channel) {
  size_ = members_.empty() ? context_->size() : static_cast<int>(members_.size());
  rank_ = members_.empty()
              ? context_->rank()
              : static_cast<int>(std::find(members_.begin(), members_.end(), context_->rank()) - members_.begin());
  shape_ = shape_of_members();
  wiring_ = {&context_->transport(), members_.empty() ? nullptr : members_.data(), channel};
  force_job_algorithms();
  reproducible_ = context_->settings().reproducible;
  // Not the present one: another rank may have used this communicator, and announced a failure, before we came here.
  generation_seen_ = context_->board().generation() - 1;
  context_->take_channel(channel);
}

Communicator::~Communicator() {
  if (context_->is_forked()) return;
  learn_failures();
  // Messages of a communicator that failed may still be about, so its channel is not given out again.
  if (!poison_ && shrinks_ == 0) context_->give_channel(wiring_.channel);
}

std::size_t Communicator::HashPlanKey::operator()(const PlanKey& key) const {
  std::uint64_t value = key.call.count * 0x9e3779b97f4a7c15u;
  value ^= static_cast<std::uint64_t>(key.call.kind) << 1 ^ static_cast<std::uint64_t>(key.call.type) << 8 ^
           static_cast<std::uint64_t>(key.call.op) << 16 ^ static_cast<std::uint64_t>(key.call.root) << 32 ^
           static_cast<std::uint64_t>(key.in_place) ^ static_cast<std::uint64_t>(key.call.payload.form) << 40 ^
           key.call.payload.summands << 44 ^ static_cast<std::uint64_t>(key.call.payload.code.format) << 52 ^
           std::uint64_t{key.call.payload.code.block} << 53;
  return value ^ value >> 29;
}

// A composite is not known where Started is declared.
Communicator::Started::Started() = default;
Communicator::Started::~Started() = default;
Communicator::Started::Started(Started&&) noexcept = default;
Communicator::Started& Communicator::Started::operator=(Started&&) noexcept = default;

// ---- a call ----

// The call with the payload that this communicator gives it. Parts of complex numbers are summed one by one.
Call Communicator::meant(const Call& call) const {
  const bool sums = combines(call.kind) && (call.op == TUTTI_SUM || call.op == TUTTI_AVG);
  if (!reproducible_ || !sums || !is_rounded(call.type) || call.payload.form != PayloadForm::dense) return call;
  Call encoded = call;
  encoded.payload = {PayloadForm::reproducible, static_cast<std::uint64_t>(size_), {}, 0};
  if (call.type == TUTTI_COMPLEX64 || call.type == TUTTI_COMPLEX128) {
    encoded.type = call.type == TUTTI_COMPLEX64 ? TUTTI_FLOAT32 : TUTTI_FLOAT64;
    if (call.count <= std::numeric_limits<std::uint64_t>::max() / 2) encoded.count = 2 * call.count;
  }
  return encoded;
}

// What depends on the call alone; done once for a call that is repeated.
void Communicator::check_shape(const Call& call) const {
  const std::string_view name = kind_name(call.kind);
  if (call.kind == Kind::barrier) return;
  const std::uint64_t element = type_size(call.type);
  if (element == 0)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: type {} does not exist; see tutti_type in tutti.h", name,
                static_cast<int>(call.type));
  if (combines(call.kind)) operation(call.type, call.op);
  if (call.payload.form != PayloadForm::dense) make_encoding(call.payload, call.type, call.op, rank_);
  if (rooted(call.kind) && (call.root < 0 || call.root >= size_))
    throw error(TUTTI_ERROR_ARGUMENT, "{}: root {} is not one of the ranks 0 to {}", name, call.root, size_ - 1);
  const std::uint64_t parts = is_sliced(call.kind) ? static_cast<std::uint64_t>(size_) : 1;
  constexpr std::uint64_t most = std::uint64_t{1} << 47;  // bytes of a process's address space
  if (call.count > most / element / parts)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: {} elements of {} bytes{} do not fit into the address space", name,
                call.count, element, parts > 1 ? fmt::format(" for each of {} ranks", parts) : "");
}

void Communicator::check_buffers(const Call& call, std::span<const void* const> inputs, const void* output) const {
  for (const void* input : inputs) check_buffer(call, input, output);
}

void Communicator::check_buffer(const Call& call, const void* input, const void* output) const {
  if (call.count == 0 || call.kind == Kind::barrier) return;
  const std::uint64_t block = call.count * type_size(call.type);
  const auto parts = static_cast<std::uint64_t>(size_);
  const std::uint64_t input_bytes =
      block * (call.kind == Kind::reduce_scatter || call.kind == Kind::alltoall ? parts : 1);
  const std::uint64_t output_bytes = block * (call.kind == Kind::allgather || call.kind == Kind::alltoall ? parts : 1);
  const bool output_here = call.kind != Kind::reduce || call.root == rank_;
  if (input == nullptr && call.kind != Kind::broadcast)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: the input buffer is null, {} bytes are to be read from it",
                kind_name(call.kind), input_bytes);
  if (output == nullptr && output_here)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: the {} is null, {} bytes are to be written to it", kind_name(call.kind),
                call.kind == Kind::broadcast ? "buffer" : "output buffer", output_bytes);
  if (!output_here || call.kind == Kind::broadcast || input == output) return;
  if (overlap(input, input_bytes, output, output_bytes))
    throw error(TUTTI_ERROR_ARGUMENT,
                "{}: input and output overlap; they must be the same address (in place) or lie apart ({} and {} bytes)",
                kind_name(call.kind), input_bytes, output_bytes);
}

Question Communicator::question(const Call& call) const {
  Question question;
  question.kind = call.kind;
  question.element_bytes = static_cast<std::uint32_t>(std::max<std::size_t>(type_size(call.type), 1));
  question.count =
      call.kind == Kind::barrier ? 0 : call.count * (is_sliced(call.kind) ? static_cast<std::uint64_t>(size_) : 1);
  question.size = size_;
  question.shape = shape_;
  if (call.payload.form != PayloadForm::dense) {
    const auto encoding = make_encoding(call.payload, call.type, call.op, rank_);
    const std::uint64_t parts = is_sliced(call.kind) ? static_cast<std::uint64_t>(size_) : 1;
    question.count = (call.count + encoding->block() - 1) / encoding->block() * parts;
    question.element_bytes = encoding->stages().back().element_bytes;
    question.most_window = most_encoded_window;
    question.payload = describe(call.payload);
    if (call.payload.form == PayloadForm::quantised && combines(call.kind)) question.most_depth = 1;
    return question;
  }
  question.ordered = combines(call.kind) && !operation(call.type, call.op).commutative;
  return question;
}

ShapePtr Communicator::shape_of_members() const {
  std::vector<int> nodes;
  for (int rank = 0; rank < size_; ++rank) nodes.push_back(context_->nodes()[static_cast<std::size_t>(job_rank(rank))]);
  const bool together = std::all_of(nodes.begin(), nodes.end(), [&](int node) { return node == nodes.front(); });
  return together ? nullptr : Shape::of({nodes});
}

Choice Communicator::choice(const Call& asked) {
  const Call call = meant(asked);
  check_shape(call);
  return choose(question(call), context_->machine(), overrides_);
}

std::string Communicator::explain(const Call& asked) {
  return tutti::explain(question(meant(asked)), context_->machine(), overrides_);
}

Communicator::PlanEntry& Communicator::plan_for(const Call& call, bool in_place) {
  PlanKey key{call, in_place};
  key.call.payload.seed = 0;
  if (last_entry_ && key == last_key_) [[likely]]
    return *last_entry_;
  auto found = plans_.find(key);
  if (found == plans_.end()) {
    if (plans_.size() >= most_plans) forget_plans();
    found = plans_.emplace(key, PlanEntry{make_plan_for(key.call, in_place), {}, 0}).first;
  }
  last_key_ = key;
  last_entry_ = &found->second;
  return found->second;
}

std::unique_ptr<Plan> Communicator::make_plan_for(const Call& call, bool in_place) {
  const Question asked = question(call);
  PlanRequest request;
  request.call = call;
  request.in_place = in_place;
  request.rank = rank_;
  request.size = size_;
  request.max_message = wiring_.transport->traits().max_message;
  request.inline_bytes = wiring_.transport->traits().inline_bytes;
  request.shape = shape_;
  request.element_bytes = asked.element_bytes;
  request.choice = choose(asked, context_->machine(), overrides_);
  if (context_->settings().explain && rank_ == 0)
    log_line(LogLevel::error, describe(call) + "\n" + tutti::explain(asked, context_->machine(), overrides_));
  StageMaker maker;
  maker.get_schedule = [&](const ScheduleKey& key) {
    return context_->schedules().get(key, [&] { return build_schedule(key); });
  };
  if (call.payload.form == PayloadForm::dense)
    return make_plan(request, maker.get_schedule(schedule_key(request, !asked.ordered)));
  maker.choose_stage = [&](Kind kind, std::uint64_t count, std::uint32_t element_bytes) {
    Question stage = asked;
    stage.kind = kind;
    stage.count = count;
    stage.element_bytes = element_bytes;
    return choose_whole(stage, context_->machine(), request.choice);
  };
  return make_encoded_plan(request, make_encoding(call.payload, call.type, call.op, rank_), maker);
}

void Communicator::forget_plans() {
  last_entry_ = repeatable_ = nullptr;
  std::erase_if(plans_, [](const auto& item) { return item.second.busy == 0; });
}

std::unique_ptr<Execution> Communicator::idle_execution(PlanEntry& entry) {
  if (entry.idle.empty()) return std::make_unique<Execution>(*entry.plan, wiring_);
  std::unique_ptr<Execution> execution = std::move(entry.idle.back());
  entry.idle.pop_back();
  return execution;
}

// Failures that were announced, and messages that belong to no call any more.
inline void Communicator::learn_news() {
  context_->check_process();
  if (poison_ || context_->board().generation() != generation_seen_) [[unlikely]] {
    learn_failures();
    if (poison_) fail();
  }
  if (wiring_.transport->early_messages && outstanding_ == 0) [[unlikely]]
    check_strays();
}

// The plan and the memory of a call; gives back where the plan's output begins.
void* Communicator::look_up(const Call& call, const void* input, void* output, Started& started) {
  const bool has_output = call.kind != Kind::reduce || call.root == rank_;
  const bool one_buffer = call.kind == Kind::broadcast || call.kind == Kind::barrier || (has_output && input == output);
  const bool in_place = one_buffer && runs_in_place(call.kind);
  started.entry = &plan_for(call, in_place);
  const Plan& plan = *started.entry->plan;
  if (in_place && call.kind == Kind::reduce_scatter && plan.output_shift) {  // encoded, there is no such shift
    // The result is made at the rank's own block and then moved to the beginning.
    started.move_to = output;
    started.move_bytes = plan.block_bytes;
    output = static_cast<std::byte*>(output) + plan.output_shift;
    started.move_from = output;
  }
  started.device = device_of(has_output ? output : input);
  if (call.count > 0 && input != nullptr && device_of(input) != started.device)
    throw error(TUTTI_ERROR_ARGUMENT,
                "{}: input and output must lie in the same memory; the input is in the {}'s, the output in the {}'s",
                kind_name(call.kind), memory_name(device_of(input)), memory_name(started.device));
  if (started.device != nullptr && call.op > TUTTI_BXOR)
    throw error(TUTTI_ERROR_UNSUPPORTED,
                "{}: a user's operation is a function of the host and cannot combine in the memory of {}; copy the "
                "buffers to the host",
                kind_name(call.kind), started.device->name());
  if (started.device != nullptr && plan.encoding)
    throw error(TUTTI_ERROR_UNSUPPORTED, "{}: its passes run on the host; copy the buffers from the memory of {}",
                describe(call), started.device->name());
  if (started.device != nullptr && one_buffer && !runs_in_place(call.kind) && call.count > 0)
    throw error(TUTTI_ERROR_UNSUPPORTED, "{} in place: the memory of {} has no room for a copy; give it two buffers",
                kind_name(call.kind), started.device->name());
  return output;
}

// Begins what has been looked up, and goes on with it so many times; true if it is complete then.
inline bool Communicator::launch(const Call& call, std::span<const void* const> inputs, void* output, Started& started,
                                 int tries) {
  const void* input = call.kind == Kind::broadcast ? output : inputs.front();
  if (input == output && call.count > 0 && !runs_in_place(call.kind)) [[unlikely]] {
    const std::size_t bytes = started.entry->plan->result_bytes;
    started.copied = std::make_unique_for_overwrite<std::byte[]>(bytes);
    std::memcpy(started.copied.get(), input, bytes);
    input = started.copied.get();
  }
  started.execution = idle_execution(*started.entry);
  Execution& execution = *started.execution;
  started.running = {&execution, this, false, nullptr, nullptr};
  ++started.entry->busy;
  ++outstanding_;
  sequence_ = (sequence_ + 1) & sequence_mask;
  context_->board().note_call({wiring_.channel, sequence_, call, lineage_});
  wiring_.transport->open(wiring_.channel, sequence_);
  // All that was called before is in the hash too: who had left a call that differed finds it in the next message.
  const std::uint64_t seed = call.payload.seed;
  history_ =
      (history_ ^ started.entry->plan->check ^ static_cast<std::uint32_t>(seed ^ seed >> 32)) * 0x9e3779b1u + sequence_;
  execution.sign(history_);
  execution.seed(seed);
  try {
    if (inputs.size() > 1)
      execution.start(inputs, output, sequence_);
    else
      execution.start(input, output, sequence_, started.device);
    bool complete = execution.advance();
    while (!complete && --tries > 0) complete = execution.advance();
    return complete && execution.misfit().peer < 0;
  } catch (const Error& failure) {
    try {
      broken(execution, failure);
    } catch (...) {
      forget(started);
      throw;
    }
  }
}

// Begins a call; true if it is complete already.
bool Communicator::begin(const Call& call, std::span<const void* const> inputs, void* output, Started& started) {
  learn_news();
  void* const place = look_up(call, inputs.front(), output, started);
  return launch(call, inputs, place, started);
}

void Communicator::forget(Started& started) {
  if (started.composite) {
    context_->remove(&started.running);
    started.composite->cancel();
    started.composite.reset();
    --outstanding_;
  }
  if (!started.execution) return;
  context_->remove(&started.running);
  started.execution->cancel();
  --started.entry->busy;
  --outstanding_;
  started.entry->idle.push_back(std::move(started.execution));
}

// A call like the last one, on the same buffers of the host: nothing of it needs to be checked or looked up again.
inline bool Communicator::repeats(const Call& call, const void* input, const void* output) const {
  return repeatable_ != nullptr && last_entry_ == repeatable_ && last_output_ == output && last_input_ == input &&
         last_key_.call == call && device_of(output) == nullptr;
}

void Communicator::run(const Call& call, const void* input, void* output, std::unique_lock<FairMutex>& held) {
  Started started;
  if (repeats(call, input, output)) [[likely]] {
    learn_news();
    started.entry = last_entry_;
    if (launch(call, {&input, 1}, output, started, context_->tries_alone()))
      started.running.complete = true;
    else
      context_->add(&started.running);
    return complete(started, held);
  }
  start(call, input, output, started);
  const bool plain = !started.device && !started.move_to && !reproducible_ && call.op <= TUTTI_BXOR && started.entry &&
                     !started.entry->plan->encoding && !context_->settings().check;
  repeatable_ = plain ? started.entry : nullptr;
  complete(started, held);
  last_input_ = input;
  last_output_ = output;
}

void Communicator::start(const Call& call, const void* input, void* output, Started& started) {
  if (reproducible_) [[unlikely]]
    return start_with(meant(call), {&input, 1}, output, started);
  start_with(call, {&input, 1}, output, started);
}

void Communicator::run_reproducible(const Call& asked, std::span<const void* const> inputs, void* output,
                                    std::unique_lock<FairMutex>& held) {
  Call call = asked;
  if (inputs.empty())
    throw error(TUTTI_ERROR_ARGUMENT, "{}: a reproducible sum of no vector; each rank brings at least one",
                kind_name(call.kind));
  call.payload = {PayloadForm::reproducible, inputs.size(), {}, 0};
  check_shape(call);
  check_buffers(call, inputs, output);
  // How many bits each summand may have depends on how many there are, of all ranks together.
  std::uint64_t summands = inputs.size();
  run({Kind::allreduce, TUTTI_UINT64, TUTTI_SUM, 0, 1, {}}, &summands, &summands, held);
  call.payload.summands = summands;
  Started started;
  start_with(call, inputs, output, started);
  complete(started, held);
}

void Communicator::start_with(const Call& call, std::span<const void* const> inputs, void* output, Started& started) {
  // A user's operation may have been freed since the plan was made.
  if (!last_entry_ || !(last_key_.call == call) || call.op > TUTTI_BXOR) check_shape(call);
  check_buffers(call, inputs, output);
  if (context_->settings().check) [[unlikely]]
    agree(call);
  if (begin(call, inputs, output, started))
    started.running.complete = true;
  else
    context_->add(&started.running);
}

void Communicator::complete(Started& started, std::unique_lock<FairMutex>& held) {
  if (!started.running.complete || started.running.failure) {
    try {
      context_->wait(started.running, held);
      context_->board().end_wait();
    } catch (...) {
      context_->board().end_wait();
      forget(started);
      throw;
    }
  }
  if (started.composite) [[unlikely]]
    return complete_composite(started);
  if (started.move_to) [[unlikely]] {
    if (Device* device = device_of(started.move_to)) {
      const Device::Ticket ticket = device->copy(started.move_to, started.move_from, started.move_bytes);
      while (!device->done(ticket)) {
      }
    } else {
      std::memmove(started.move_to, started.move_from, started.move_bytes);
    }
  }
  --started.entry->busy;
  --outstanding_;
  started.entry->idle.push_back(std::move(started.execution));
}

bool Communicator::test(Started& started) {
  if (!started.running.complete) {
    context_->progress();
    if (!started.running.complete) context_->look_after(started.running, started.progress_seen, started.progress_since);
  }
  return started.running.complete;
}

void Communicator::run_inside(const Call& call, const void* input, void* output) {
  std::unique_lock<FairMutex> none;
  Started started;
  if (begin(call, input, output, started))
    started.running.complete = true;
  else
    context_->add(&started.running);
  complete(started, none);
}

// TUTTI_CHECK: everybody tells everybody what he is about to call, before a byte of it moves.
void Communicator::agree(const Call& call) {
  std::vector<Call> calls(static_cast<std::size_t>(size_));
  Call mine = call;
  const Call exchange{Kind::allgather, TUTTI_UINT8, TUTTI_SUM, 0, sizeof(Call), {}};
  run_inside(exchange, &mine, calls.data());
  for (int other = 0; other < size_; ++other) {
    if (calls[static_cast<std::size_t>(other)] == calls[0]) continue;
    const Failure failure{
        TUTTI_ERROR_MISMATCH, job_rank(other), wiring_.channel,
        fmt::format("TUTTI_CHECK: {} calls {}, but {} calls {}; all ranks must call the same",
                    context_->board().name(job_rank(0)), describe(calls[0]), context_->board().name(job_rank(other)),
                    describe(calls[static_cast<std::size_t>(other)]))};
    give_up(failure);
  }
}

// ---- groups ----

// Of a communicator that comes from this one, `number` telling it from the others that do.
std::uint32_t Communicator::child_lineage(std::uint32_t number) const {
  const std::uint32_t mixed = (lineage_ ^ number) * 0x9e3779b1u + wiring_.channel;
  return mixed ^ mixed >> 15;
}

std::unique_ptr<Communicator> Communicator::split(int color, int key) {
  // Who goes where, and which channels are free on all: both from everybody.
  struct Wish {
    std::int64_t color, key;
  };
  const std::uint64_t failures_before = context_->board().failures_announced();
  const Wish mine{color, key};
  std::vector<Wish> wishes(static_cast<std::size_t>(size_));
  run_inside({Kind::allgather, TUTTI_INT64, TUTTI_SUM, 0, 2, {}}, &mine, wishes.data());
  std::vector<std::uint64_t> free = context_->free_channels();
  run_inside({Kind::allreduce, TUTTI_UINT64, TUTTI_BAND, 0, free.size(), {}}, free.data(), free.data());
  auto word = std::find_if(free.begin(), free.end(), [](std::uint64_t bits) { return bits != 0; });
  if (word == free.end())
    throw error(TUTTI_ERROR_UNSUPPORTED,
                "no more than {} communicators and persistent requests may be alive at one time",
                Context::channel_count);
  const auto channel = static_cast<std::uint32_t>((word - free.begin()) * 64 + std::countr_zero(*word));
  if (color < 0) return nullptr;
  std::vector<int> ranks;
  for (int other = 0; other < size_; ++other)
    if (wishes[static_cast<std::size_t>(other)].color == color) ranks.push_back(other);
  std::stable_sort(ranks.begin(), ranks.end(), [&](int a, int b) {
    return wishes[static_cast<std::size_t>(a)].key < wishes[static_cast<std::size_t>(b)].key;
  });
  for (int& member : ranks) member = job_rank(member);
  auto made = std::make_unique<Communicator>(context_, std::move(ranks), channel, failures_before);
  made->lineage_ = child_lineage(sequence_);
  made->overrides_ = overrides_;
  made->sparse_overrides_ = sparse_overrides_;
  made->reproducible_ = reproducible_;
  return made;
}

std::unique_ptr<Communicator> Communicator::make_for_request() {
  auto made = split(0, rank_);
  made->failure_channel_ = failure_channel_;
  return made;
}

std::unique_ptr<Communicator> Communicator::shrink() {
  context_->check_process();
  std::vector<int> members;
  for (int other = 0; other < size_; ++other) members.push_back(job_rank(other));
  const double seconds = static_cast<double>(context_->settings().start_timeout.count()) / 1000;
  const std::uint64_t failures_before = context_->board().failures_announced();
  const Board::Decision decision = context_->board().agree_on_survivors(wiring_.channel, shrinks_++, members, seconds,
                                                                        [&] { context_->tend_control(); });
  auto made = std::make_unique<Communicator>(context_, decision.survivors, decision.channel, failures_before);
  made->lineage_ = child_lineage(decision.channel);
  made->overrides_ = overrides_;
  made->sparse_overrides_ = sparse_overrides_;
  made->reproducible_ = reproducible_;
  return made;
}

void Communicator::abort(const std::string& reason) {
  const Failure failure{
      TUTTI_ERROR_ABORTED, context_->rank(), failure_channel_,
      fmt::format("{} aborted the communicator: {}", context_->board().name(context_->rank()), reason)};
  poison(failure);
}

void Communicator::set_algorithms(std::string_view spec) {
  force_algorithms(spec, "tutti_comm_set_algorithm");
  forget_plans();
}

}  // namespace tutti
