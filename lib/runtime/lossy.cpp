// See lossy.hpp. All parts of a vector are started before the first is waited for.
#include "runtime/lossy.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "error.hpp"
#include "payload/quantised.hpp"

namespace tutti {

namespace {

// A caller of another version may know fewer fields, but these were there from the first.
void check_versions(const tutti_quantisation& how, const tutti_report* report) {
  if (how.bytes != sizeof(tutti_quantisation))
    throw error(TUTTI_ERROR_ARGUMENT,
                "quantisation: its field bytes is {}; right would be sizeof(tutti_quantisation), {}", how.bytes,
                sizeof(tutti_quantisation));
  if (report && report->bytes != sizeof(tutti_report))
    throw error(TUTTI_ERROR_ARGUMENT, "report: its field bytes is {}; right would be sizeof(tutti_report), {}",
                report->bytes, sizeof(tutti_report));
}

const void* moved(const void* buffer, std::uint64_t elements, tutti_type type) {
  return buffer == nullptr ? nullptr : static_cast<const std::byte*>(buffer) + elements * type_size(type);
}

double number_at(const void* buffer, std::uint64_t i, tutti_type type) {
  const auto* const at = static_cast<const std::byte*>(moved(buffer, i, type));
  if (type == TUTTI_FLOAT32) {
    float number;
    std::memcpy(&number, at, sizeof number);
    return number;
  }
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  if (type == TUTTI_BFLOAT16) return std::bit_cast<float>(std::uint32_t{bits} << 16);
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == 31)
    return fraction ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  return sign * std::ldexp(exponent ? fraction + 1024 : fraction, std::max(exponent, 1) - 25);
}

// Elements as float64, whatever they are.
std::vector<double> widened(const void* buffer, std::uint64_t count, tutti_type type) {
  std::vector<double> numbers(count);
  if (type == TUTTI_FLOAT64) {
    if (count) std::memcpy(numbers.data(), buffer, count * sizeof(double));
    return numbers;
  }
  for (std::uint64_t i = 0; i < count; ++i) numbers[i] = number_at(buffer, i, type);
  return numbers;
}

// The error of a result against the same collective in float64. Sums over all elements of this rank's result.
class Errors {
 public:
  Errors(Communicator& communicator, const Call& call, const void* input, std::unique_lock<FairMutex>& held)
      : call_(call) {
    const auto ranks = static_cast<std::uint64_t>(communicator.size());
    const bool is_root = call.kind != Kind::broadcast || call.root == communicator.rank();
    const std::uint64_t in_count = call.count * (call.kind == Kind::reduce_scatter ? ranks : 1);
    std::vector<double> own(in_count);
    if (is_root) own = widened(input, in_count, call.type);
    reference_.resize(call.count * (call.kind == Kind::allgather ? ranks : 1));
    Call dense = call;
    dense.type = TUTTI_FLOAT64;
    if (call.kind == Kind::broadcast) reference_ = own;
    communicator.run(dense, call.kind == Kind::broadcast ? reference_.data() : own.data(), reference_.data(), held);
  }

  void measure(const void* output, tutti_report& report) const {
    const std::vector<double> found = widened(output, reference_.size(), call_.type);
    double largest = 0, squares = 0, signal = 0;
    double least = std::numeric_limits<double>::infinity(), most = -least;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double error = found[i] - reference_[i];
      largest = std::isnan(error) || std::isnan(largest) ? std::numeric_limits<double>::quiet_NaN()
                                                         : std::max(largest, std::fabs(error));
      squares += error * error;
      signal += reference_[i] * reference_[i];
      least = std::min(least, reference_[i]);
      most = std::max(most, reference_[i]);
    }
    const auto count = static_cast<double>(std::max<std::size_t>(found.size(), 1));
    report.max_abs_error = largest;
    report.nrmse = squares == 0 ? 0 : std::sqrt(squares / count) / (most - least);
    report.snr_db = squares == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / squares);
  }

 private:
  Call call_;
  std::vector<double> reference_;
};

// Operations of one call, all of them in progress at once.
class Parts {
 public:
  Parts(Communicator& communicator, std::size_t most) : communicator_(communicator) { started_.reserve(most); }
  ~Parts() {
    for (Communicator::Started& each : started_) communicator_.forget(each);
  }
  Communicator::Started& start(const Call& call, const void* input, void* output) {
    Communicator::Started& started = started_.emplace_back();
    communicator_.start(call, input, output, started);
    return started;
  }
  void complete(std::unique_lock<FairMutex>& held) {
    for (Communicator::Started& each : started_) communicator_.complete(each, held);
  }

 private:
  Communicator& communicator_;
  std::vector<Communicator::Started> started_;  // never moved: operations in progress point into it
};

std::size_t width_index(const Call& call) {
  const std::uint32_t bits = call.payload.form == PayloadForm::dense
                                 ? static_cast<std::uint32_t>(type_size(call.type)) * 8
                                 : format_bits(call.payload.code.format);
  return static_cast<std::size_t>(std::countr_zero(bits)) - 1;  // 2, 4, 8, 16, 32, 64
}

}  // namespace

void run_quantised(Communicator& communicator, const Call& asked, const void* input, void* output,
                   const tutti_quantisation& how, tutti_report* report, std::unique_lock<FairMutex>& held) {
  check_versions(how, report);
  const bool sliced = is_sliced(asked.kind);
  if (sliced && how.segment_count > 0)
    throw error(TUTTI_ERROR_ARGUMENT, "quantisation: segments are for allreduce and broadcast; {} has one wire for all",
                kind_name(asked.kind));
  const std::vector<WirePart> parts = wire_parts(how, asked.count);
  std::vector<Call> calls;
  communicator.check(asked, input, output);
  for (const WirePart& part : parts) {
    Call call = asked;
    call.count = part.count;
    call.payload = quantised_setting(part.wire, how);
    call.payload.summands = static_cast<std::uint64_t>(communicator.size());
    if (call.payload.form == PayloadForm::dense) call.payload = {};
    communicator.check_call(call);
    calls.push_back(call);
  }
  std::optional<Errors> errors;
  if (report && report->measure) errors.emplace(communicator, asked, input, held);
  tutti_report told{};
  Parts running(communicator, parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& started = running.start(calls[i], moved(input, parts[i].first, asked.type),
                                        const_cast<void*>(moved(output, parts[i].first, asked.type)));
    told.sent_by_width[width_index(calls[i])] += sent_bytes(*started.entry->plan);
  }
  running.complete(held);
  if (report == nullptr) return;
  told.bytes = report->bytes;
  told.measure = report->measure;
  for (const std::uint64_t bytes : told.sent_by_width) told.sent_bytes += bytes;
  told.dense_bytes = communicator.dense_bytes(asked, input == output);
  told.ratio = told.sent_bytes == 0 ? 1 : static_cast<double>(told.dense_bytes) / static_cast<double>(told.sent_bytes);
  if (errors) errors->measure(output, told);
  *report = told;
}

}  // namespace tutti
