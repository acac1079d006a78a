// A plan: one rank's schedule bound to a count, a type and an operation, with every block turned into offsets. It is
// made once for a call and kept; a call then fills its addresses in and runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "payload/encoding.hpp"
#include "schedule/schedule.hpp"
#include "scheduler/choice.hpp"

namespace tutti {

// What is sparse about a call; which pairs a rank brings is its own affair.
enum class Sparse : std::uint8_t { none, top_k, pairs };
struct SparseCall {
  Sparse brings = Sparse::none;  // the k largest of a dense vector, or pairs of the caller
  bool global = false;           // the result is the `keep` largest of the sum
  std::uint8_t index_bytes = 4;
  std::uint64_t k = 0;       // that each rank selects, or in each bucket
  std::uint64_t bucket = 0;  // 0: the whole vector
  std::uint64_t keep = 0;
  bool operator==(const SparseCall&) const = default;
};

// What all ranks must agree on. Its hash travels with every message.
struct Call {
  Kind kind = Kind::barrier;
  tutti_type type = TUTTI_INT8;
  tutti_op op = TUTTI_SUM;
  std::int32_t root = 0;
  std::uint64_t count = 0;  // as the C interface counts
  SparseCall sparse = {};
  PayloadSetting payload{};
  bool operator==(const Call&) const = default;
};

// "allreduce of 1024 float32, sum" and the like.
std::string describe(const Call& call);
std::uint32_t hash(const Call& call);

// Storage of a window: index into its table of base addresses. Aside area a is base_aside + a - 1.
inline constexpr std::uint32_t base_input = 0;
inline constexpr std::uint32_t base_output = 1;
inline constexpr std::uint32_t base_scratch = 2;
inline constexpr std::uint32_t base_aside = 3;

struct Location {
  std::uint32_t base = 0;
  std::uint64_t offset = 0;  // bytes
};

// A contiguous run of bytes of a step.
struct Run {
  Location from;
  Location to;
  std::uint64_t bytes = 0;
};

struct PlanStep {
  StepKind kind = StepKind::send;
  bool idle = false;         // no bytes here: nothing to do
  bool left = false;         // the arriving value is the left operand
  bool streaming = false;    // nobody reads the result again within the schedule, except `forward`
  bool direct = false;       // the transport may put what arrives straight where it belongs
  bool keeps_lease = false;  // arrives aside: readers may read it where it landed
  std::int32_t peer = -1;    // rank of the communicator
  std::uint32_t message = 0;
  std::uint64_t waits = 0;  // bit 63 - d: the step d + 1 before this one
  std::uint32_t first_run = 0;
  std::uint32_t run_count = 0;
  std::uint32_t first_source = 0;  // fold: run i takes source s from sources[first_source + i * source_count + s]
  std::uint32_t source_count = 0;
  std::uint32_t first_area = 0;  // the aside areas that it reads
  std::uint32_t area_count = 0;
  std::int32_t shares = -1;   // an earlier send of the same bytes, unchanged since
  std::int32_t forward = -1;  // a later send of exactly what this step writes
  std::uint64_t bytes = 0;    // of the message
};

// The steps for windows of one size.
struct Program {
  std::vector<PlanStep> steps;
  std::vector<Run> runs;
  std::vector<Location> sources;
  std::vector<std::uint32_t> areas;
  std::vector<std::uint16_t> aside_readers;  // per aside area: steps that read it
  std::vector<std::uint64_t> aside_offsets;  // per aside area: where it lies behind the scratch
  std::uint64_t scratch_bytes = 0;           // scratch and aside areas together
  std::uint32_t most_runs = 1;               // of a step
  std::uint64_t output_bytes = 0;            // of the window: what a final division covers
};

// A schedule bound to what it moves: all of a dense call, or one stage of an encoded one (encoding.hpp).
struct PlanStage {
  Operation operation;
  std::uint32_t element_bytes = 1;
  Choice choice;
  Program full;
  Program last;                   // of the last window; the same as `full` where there is one window
  std::uint64_t wide_offset = 0;  // encoded: of its elements in the memory of a window
};

struct Plan {
  Call call;
  int rank = 0;
  int size = 1;
  bool in_place = false;
  Choice choice;  // of the last stage
  std::uint32_t check = 0;
  std::vector<PlanStage> stages;  // one, unless the payload is encoded
  std::uint32_t windows = 1;
  std::uint64_t window_stride = 0;  // bytes from one window's buffers to the next one's
  std::uint64_t input_shift = 0;    // subtracted from the caller's input: blocks are counted from the vector's start
  std::uint64_t output_shift = 0;
  std::uint64_t result_bytes = 0;  // of this rank's output; 0 where it has none
  std::uint64_t block_bytes = 0;   // reduce-scatter, allgather and alltoall: one rank's block

  std::unique_ptr<const Encoding> encoding;  // null: dense, the stage works on the caller's buffers
  std::uint64_t window_elements = 0;         // encoded: of the caller, in each window but the last
  std::uint64_t wide_bytes = 0;              // encoded: memory of a window
};

// Bytes that this rank sends in one run of the plan.
std::uint64_t sent_bytes(const Plan& plan);

// How the blocks of a schedule lie in memory, for one window.
class BlockLayout {
 public:
  // A vector cut into windows, each window into blocks.
  static BlockLayout of_vector(std::uint64_t window_elements, std::int64_t blocks, std::uint32_t element_bytes);
  // Blocks of equal size that lie one behind the other; a window takes the same slice of each.
  static BlockLayout of_slices(std::uint64_t block_bytes, std::uint64_t slice_bytes, std::int64_t blocks);

  // Appends the runs that blocks occupy in the caller's buffers (offset, bytes); empty blocks vanish.
  template <class Visit>
  void runs(Interval blocks, Visit visit) const;
  std::uint64_t compact_offset(std::int64_t block) const;  // in scratch
  std::uint64_t caller_offset(std::int64_t block) const { return static_cast<std::uint64_t>(block) * stride_; }
  std::uint64_t compact_bytes(Interval blocks) const {
    return compact_offset(blocks.end) - compact_offset(blocks.begin);
  }

 private:
  std::uint64_t stride_ = 0;  // from block to block in the caller's buffer
  std::uint64_t size_ = 0;    // bytes of one block in this window
  std::uint64_t end_ = 0;     // of the window: blocks beyond are short or empty
};

struct PlanRequest {
  Call call;
  bool in_place = false;
  int rank = 0;
  int size = 1;
  std::uint64_t max_message = 0;  // of the transport; 0: any
  std::uint64_t inline_bytes = 0;
  Choice choice;
  ShapePtr shape = nullptr;         // of the ranks, which a hierarchy needs
  std::uint32_t element_bytes = 1;  // of what travels
};

// Throws TUTTI_ERROR_UNSUPPORTED where the chosen algorithm cannot run, with its reason.
std::unique_ptr<Plan> make_plan(const PlanRequest& request, std::shared_ptr<const Schedule> schedule);
// The schedule that a plan needs.
ScheduleKey schedule_key(const PlanRequest& request, bool commutative);

// The stages of an encoded call (plan_encoded.cpp): `choose_stage` decides how a collective of so many wide elements
// runs in one window, `get_schedule` builds what it needs.
struct StageMaker {
  std::function<Choice(Kind kind, std::uint64_t count, std::uint32_t element_bytes)> choose_stage;
  std::function<std::shared_ptr<const Schedule>(const ScheduleKey& key)> get_schedule;
};
std::unique_ptr<Plan> make_encoded_plan(const PlanRequest& request, std::unique_ptr<const Encoding> encoding,
                                        const StageMaker& maker);

// For both: a schedule bound to a window. `result_bytes`: what the whole call writes here, 0 where it is read again.
Program bind_window(const Schedule& schedule, const BlockLayout& layout, const PlanRequest& request, bool ordered,
                    std::uint64_t result_bytes);
void check_messages(const PlanRequest& request, const Program& program, const std::string& algorithm);
std::uint32_t hash(const Call& call);

}  // namespace tutti
