// Every function of the C++ face, on any number of ranks: tutti run -n P face_cpp_test. What must not compile is
// held by static_asserts in face_cpp_refusals.cpp.
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "expect.h"
#include "tutti/tutti.hpp"

namespace {

constexpr std::size_t count = 37;

template <class Call>
bool throws(tutti_result code, const std::string& words, Call call) {
  try {
    call();
  } catch (const tutti::Failure& failure) {
    const bool said = std::string(failure.what()).find(words) != std::string::npos;
    if (!said) std::fprintf(stderr, "message without \"%s\": %s\n", words.c_str(), failure.what());
    return failure.code() == code && said;
  }
  return false;
}

template <class T>
std::vector<T> ramp(std::size_t length, int first) {
  std::vector<T> values(length);
  for (std::size_t i = 0; i < length; ++i) values[i] = static_cast<T>(static_cast<int>(i) + first);
  return values;
}

// The sum over all ranks of (rank + i).
double total(const tutti::Communicator& comm, std::size_t i) {
  return comm.size() * (comm.size() - 1) / 2.0 + comm.size() * static_cast<double>(i);
}

// ---- element types -----------------------------------------------------------------------------------

void halves_round_to_nearest_even() {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = tutti::float16::from_bits(static_cast<std::uint16_t>(bits));
    const auto brain = tutti::bfloat16::from_bits(static_cast<std::uint16_t>(bits));
    const float wide = half;
    const float wider = brain;
    const bool survives =
        std::isnan(wide) ? std::isnan(float(tutti::float16(wide))) : tutti::float16(wide).bits() == bits;
    const bool survives_too =
        std::isnan(wider) ? std::isnan(float(tutti::bfloat16(wider))) : tutti::bfloat16(wider).bits() == bits;
    if (!survives || !survives_too) return EXPECT(survives && survives_too);
    if (bits < 0x7bff) {  // between two neighbours of float16: the middle goes to the even one
      const float next = tutti::float16::from_bits(static_cast<std::uint16_t>(bits + 1));
      const float middle = (wide + next) / 2;
      const std::uint32_t even = bits + (bits & 1);
      const bool tie_is_even = tutti::float16(middle).bits() == even;
      const bool below_goes_down = tutti::float16(std::nextafter(middle, 0.0f)).bits() == bits;
      if (!tie_is_even || !below_goes_down) return EXPECT(tie_is_even && below_goes_down);
    }
  }
  EXPECT(tutti::float16(65519.0f).bits() == 0x7bff && tutti::float16(65520.0f).bits() == 0x7c00);
  EXPECT(tutti::bfloat16(1.00390625f).bits() == 0x3f80);  // 1 + 2^-8 lies in the middle of 1 and 1 + 2^-7
  static_assert(float(tutti::float16(-1.5f)) == -1.5f && float(tutti::bfloat16(-1.5f)) == -1.5f);
}

template <class T>
void sums_of(tutti::Communicator& comm) {
  const auto values = ramp<T>(4, comm.rank());
  std::vector<T> sums(4);
  comm.allreduce(values, sums, tutti::sum);
  for (std::size_t i = 0; i < 4; ++i) EXPECT(sums[i] == static_cast<T>(static_cast<float>(total(comm, i))));
}

void every_element_type_travels(tutti::Communicator& comm) {
  sums_of<std::int8_t>(comm);
  sums_of<std::int16_t>(comm);
  sums_of<int>(comm);
  sums_of<long>(comm);
  sums_of<long long>(comm);
  sums_of<std::uint8_t>(comm);
  sums_of<std::uint16_t>(comm);
  sums_of<unsigned>(comm);
  sums_of<unsigned long>(comm);
  sums_of<char>(comm);
  sums_of<float>(comm);
  sums_of<double>(comm);

  const std::complex<float> single = comm.allreduce(std::complex<float>(1, 2), tutti::sum);
  EXPECT(single == std::complex<float>(static_cast<float>(comm.size()), 2.0f * static_cast<float>(comm.size())));
  const std::complex<double> turned = comm.allreduce(std::complex<double>(0, 1), tutti::prod);
  EXPECT(std::abs(turned - std::pow(std::complex<double>(0, 1), comm.size())) < 1e-12);
  EXPECT(float(comm.allreduce(tutti::float16(1.5f), tutti::sum)) == 1.5f * static_cast<float>(comm.size()));
  EXPECT(float(comm.allreduce(tutti::bfloat16(0.5f), tutti::sum)) == 0.5f * static_cast<float>(comm.size()));
  EXPECT(comm.allreduce(comm.rank() == 0, tutti::lor) &&
         comm.allreduce(comm.rank() == 0, tutti::land) == (comm.size() == 1));
  EXPECT(comm.allreduce(std::byte{0xf0}, tutti::band) == std::byte{0xf0});
}

void every_operation_combines(tutti::Communicator& comm) {
  const int ranks = comm.size();
  const int mine = comm.rank() + 1;
  EXPECT(comm.allreduce(mine, tutti::min) == 1);
  EXPECT(comm.allreduce(mine, tutti::max) == ranks);
  EXPECT(comm.allreduce(2, tutti::prod) == 1 << ranks);
  EXPECT(comm.allreduce(double(mine), tutti::avg) == (ranks + 1) / 2.0);
  EXPECT(comm.allreduce(1u << comm.rank(), tutti::bor) == (1u << ranks) - 1);
  EXPECT(comm.allreduce(1u, tutti::bxor) == unsigned(ranks % 2));
  EXPECT(comm.allreduce(1, tutti::lxor) == ranks % 2);
  using Pair = tutti::Located<double>;
  EXPECT((comm.allreduce(Pair{-double(mine), comm.rank()}, tutti::minloc) == Pair{-double(ranks), ranks - 1}));
  using Small = tutti::Located<std::int32_t>;
  EXPECT((comm.allreduce(Small{3, comm.rank()}, tutti::maxloc) == Small{3, 0}));  // equal: the lowest index
}

// ---- blocking ----------------------------------------------------------------------------------------

void blocking_collectives_take_any_contiguous_range(tutti::Communicator& comm) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  const auto rank = static_cast<std::size_t>(comm.rank());

  std::array<double, count> in;
  std::iota(in.begin(), in.end(), comm.rank());
  double out[count];
  comm.allreduce(in, out, tutti::sum);
  for (std::size_t i = 0; i < count; ++i) EXPECT(out[i] == total(comm, i));
  comm.allreduce(std::span(in).first(3), tutti::sum);
  for (std::size_t i = 0; i < count; ++i) EXPECT(in[i] == (i < 3 ? total(comm, i) : double(i + rank)));

  for (int root = 0; root < comm.size(); ++root) {
    auto text = ramp<char>(count, comm.rank() == root ? 40 : 0);
    comm.broadcast(text, root);
    EXPECT(text == ramp<char>(count, 40));
    EXPECT(comm.broadcast(comm.rank(), root) == root);

    const auto values = ramp<float>(count, comm.rank());
    std::vector<float> result(comm.rank() == root ? count : 0);
    comm.reduce(values, result, tutti::sum, root);
    for (std::size_t i = 0; i < result.size(); ++i) EXPECT(result[i] == float(total(comm, i)));
    auto both = values;
    comm.reduce(both, tutti::sum, root);
    for (std::size_t i = 0; i < count; ++i)
      EXPECT(both[i] == (comm.rank() == root ? float(total(comm, i)) : values[i]));
  }

  auto blocks = ramp<std::int64_t>(count * ranks, comm.rank());
  std::vector<std::int64_t> block(count);
  comm.reduce_scatter(blocks, block, tutti::sum);
  for (std::size_t i = 0; i < count; ++i) EXPECT(double(block[i]) == total(comm, rank * count + i));
  const std::span<std::int64_t> own = comm.reduce_scatter(blocks, tutti::sum);
  EXPECT(own.data() == blocks.data() && std::ranges::equal(own, block));

  std::vector<std::int64_t> gathered(count * ranks);
  comm.allgather(block, gathered);
  for (std::size_t i = 0; i < gathered.size(); ++i) EXPECT(double(gathered[i]) == total(comm, i));
  std::ranges::copy(block, blocks.begin() + static_cast<std::ptrdiff_t>(rank * count));
  comm.allgather(blocks);
  EXPECT(blocks == gathered);

  const auto mine = ramp<std::int64_t>(count * ranks, comm.rank());
  std::vector<std::int64_t> exchanged(count * ranks), again(mine), apart(count * ranks), later(mine);
  comm.alltoall(mine, exchanged);
  for (std::size_t from = 0; from < ranks; ++from)
    for (std::size_t i = 0; i < count; ++i) {
      const auto theirs = ramp<std::int64_t>(count * ranks, static_cast<int>(from));
      EXPECT(exchanged[from * count + i] == theirs[rank * count + i]);
    }
  comm.alltoall(again);
  EXPECT(again == exchanged);
  comm.ialltoall(mine, apart).wait();
  EXPECT(apart == exchanged);
  comm.ialltoall(later).wait();
  EXPECT(later == exchanged);
  std::ranges::fill(apart, 0);
  std::ranges::copy(mine, later.begin());
  auto prepared = comm.alltoall_init(mine, apart);
  auto in_place = comm.alltoall_init(later);
  prepared.start();
  in_place.start();
  prepared.wait();
  in_place.wait();
  EXPECT(apart == exchanged && later == exchanged);
  comm.barrier();
}

void reproducible_sums_take_several_vectors(tutti::Communicator& comm) {
  const auto ranks = static_cast<double>(comm.size());
  const std::vector<std::vector<double>> vectors = {ramp<double>(count, 1), ramp<double>(count, 2)};
  std::vector<double> out(count);
  comm.reproducible_allreduce(vectors, out, tutti::sum);
  for (std::size_t i = 0; i < count; ++i) EXPECT(out[i] == ranks * (vectors[0][i] + vectors[1][i]));
  auto copy = comm.duplicate();
  copy.set_reproducible(true);
  EXPECT(copy.allreduce(1.5, tutti::sum) == 1.5 * ranks);
  std::vector<double> longer(count + 1);
  EXPECT(throws(TUTTI_ERROR_ARGUMENT, "reproducible_allreduce: `in` has",
                [&] { comm.reproducible_allreduce(vectors, longer, tutti::sum); }));
}

void vectors_travel_in_few_bits(tutti::Communicator& comm) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  tutti_quantisation how{};
  how.wire = TUTTI_WIRE_INT8;
  tutti_report report{};
  report.measure = 1;
  std::vector<float> ones(count, 1.0f), out(count), all(count * ranks);
  comm.quantised_allreduce(ones, out, tutti::sum, how, &report);
  for (const float each : out) EXPECT(each > 0.99f * float(ranks) && each < 1.01f * float(ranks));
  EXPECT(report.max_abs_error < 0.01 * double(ranks));
  comm.quantised_allgather(ones, all, how);
  comm.quantised_reduce_scatter(all, out, tutti::avg, how);
  comm.quantised_broadcast(out, comm.size() - 1, how);
  for (const float each : out) EXPECT(each > 0.97f && each < 1.03f);
  EXPECT(throws(TUTTI_ERROR_ARGUMENT, "quantised_allreduce: `in` has",
                [&] { comm.quantised_allreduce(std::vector<float>(count + 1), out, tutti::sum, how); }));
}

void lengths_that_do_not_fit_are_refused(tutti::Communicator& comm) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<float> three(3), four(4), blocks(3 * ranks + 1);
  const auto code = TUTTI_ERROR_ARGUMENT;
  EXPECT(
      throws(code, "`in` has 3 elements and `out` has 4 elements", [&] { comm.allreduce(three, four, tutti::sum); }));
  EXPECT(throws(code, "reduce:", [&] { comm.reduce(three, four, tutti::sum, comm.rank()); }));
  EXPECT(throws(code, "reduce_scatter: `in` has", [&] { comm.reduce_scatter(blocks, three, tutti::sum); }));
  EXPECT(throws(code, "allgather: `out` has", [&] { comm.allgather(three, blocks); }));
  EXPECT(throws(code, "iallgather:", [&] { comm.iallgather(three, blocks).wait(); }));
  EXPECT(throws(code, "allreduce_init:", [&] { auto request = comm.allreduce_init(three, four, tutti::sum); }));
  if (comm.size() > 1) {
    EXPECT(throws(code, "equal blocks", [&] { comm.allgather(blocks); }));
    EXPECT(throws(code, "equal blocks", [&] { comm.reduce_scatter(blocks, tutti::sum); }));
  }
  EXPECT(throws(code, "root", [&] { comm.broadcast(three, comm.size()); }));
  comm.barrier();  // nothing was sent, so all is well
}

// ---- user operations ---------------------------------------------------------------------------------

void user_operations_are_callables(tutti::Communicator& comm) {
  const tutti::UserOperation<double> hypotenuse([](double left, double right) { return std::hypot(left, right); });
  EXPECT(std::abs(comm.allreduce(2.0, hypotenuse) - 2 * std::sqrt(comm.size())) < 1e-12);

  // One with state, whose order counts: digits are put side by side.
  int base = 10;
  tutti::UserOperation<std::int64_t> beside(
      [base](std::int64_t left, std::int64_t right) {
        std::int64_t shift = base;
        while (shift <= right) shift *= base;
        return left * shift + right;
      },
      tutti::Commutes::no);
  tutti::UserOperation<std::int64_t> moved = std::move(beside);
  std::int64_t expected = 0;
  for (int r = 1; r <= comm.size(); ++r) expected = expected * 10 + r;
  EXPECT(comm.allreduce(std::int64_t{comm.rank() + 1}, moved) == expected);
}

// ---- nonblocking and persistent ----------------------------------------------------------------------

struct Buffers {
  std::vector<int> sum, sums, sent, reduced, reduced_out, blocks, block, own_blocks, gather, gathered, all;

  Buffers(const tutti::Communicator& comm, int round) {
    const auto ranks = static_cast<std::size_t>(comm.size());
    const int first = comm.rank() + round;
    sum = reduced = ramp<int>(count, first);
    sums = reduced_out = block = std::vector<int>(count);
    sent = comm.rank() == 0 ? ramp<int>(count, round) : std::vector<int>(count, -1);
    blocks = own_blocks = ramp<int>(count * ranks, first);
    gather = ramp<int>(count, 100 * comm.rank() + round);
    gathered = std::vector<int>(count * ranks);
    all = gathered;
    std::ranges::copy(gather, all.begin() + comm.rank() * std::ptrdiff_t{count});
  }

  void fill(const Buffers& other) {  // without moving any of them
    std::ranges::copy(other.sum, sum.begin());
    std::ranges::copy(other.sent, sent.begin());
    std::ranges::copy(other.reduced, reduced.begin());
    std::ranges::copy(other.blocks, blocks.begin());
    std::ranges::copy(other.own_blocks, own_blocks.begin());
    std::ranges::copy(other.gather, gather.begin());
    std::ranges::copy(other.all, all.begin());
  }

  // Of both forms, out of place (where `sums` and so on lie) and in place.
  bool good(const tutti::Communicator& comm, int round, bool in_place) const {
    const auto ranks = static_cast<std::size_t>(comm.size());
    const auto rank = static_cast<std::size_t>(comm.rank());
    bool all_good = sent == ramp<int>(count, round);
    const auto sum_at = [&](std::size_t i) { return static_cast<int>(total(comm, i)) + comm.size() * round; };
    const auto& result = in_place ? sum : sums;
    const auto& at_root = in_place ? reduced : reduced_out;
    const auto& everybodys = in_place ? all : gathered;
    for (std::size_t i = 0; i < count; ++i) {
      all_good = all_good && result[i] == sum_at(i);
      all_good = all_good && (comm.rank() != 0 || at_root[i] == sum_at(i));
      all_good = all_good && (in_place ? own_blocks[i] : block[i]) == sum_at(rank * count + i);
    }
    for (std::size_t i = 0; i < count * ranks; ++i) {
      all_good = all_good && everybodys[i] == static_cast<int>(100 * (i / count) + i % count) + round;
    }
    return all_good;
  }
};

void nonblocking_collectives_fly_together(tutti::Communicator& comm) {
  Buffers apart(comm, 5), inside(comm, 7);
  std::vector<tutti::Request> requests;
  requests.push_back(comm.iallreduce(apart.sum, apart.sums, tutti::sum));
  requests.push_back(comm.ibroadcast(apart.sent));
  requests.push_back(comm.ireduce(apart.reduced, apart.reduced_out, tutti::sum));
  requests.push_back(comm.ireduce_scatter(apart.blocks, apart.block, tutti::sum));
  requests.push_back(comm.iallgather(apart.gather, apart.gathered));
  requests.push_back(comm.ibarrier());
  requests.push_back(comm.iallreduce(std::span(inside.sum), tutti::sum));
  requests.push_back(comm.ibroadcast(inside.sent));
  requests.push_back(comm.ireduce(inside.reduced, tutti::sum));
  requests.push_back(comm.ireduce_scatter(inside.own_blocks, tutti::sum));
  requests.push_back(comm.iallgather(inside.all));
  requests[4].wait();
  EXPECT(!requests[4].active() && requests[4].test());
  tutti::wait_all(requests);
  EXPECT(apart.good(comm, 5, false) && inside.good(comm, 7, true));
  tutti::wait_all(requests);  // complete already
}

void requests_wait_in_their_destructor(tutti::Communicator& comm) {
  std::vector<int> values(count, 1);
  { auto request = comm.iallreduce(values, tutti::sum); }
  EXPECT(values == std::vector<int>(count, comm.size()));
  {
    std::vector<int> others(count, 2);
    auto request = comm.iallreduce(values, tutti::sum);
    request = comm.iallreduce(others, tutti::sum);  // waits for the first
    EXPECT(values == std::vector<int>(count, comm.size() * comm.size()));
    while (!request.test()) continue;
    EXPECT(others == std::vector<int>(count, 2 * comm.size()));
  }
}

void a_thousand_requests_are_outstanding_at_once(tutti::Communicator& comm) {
  std::vector<int> values(1000, 1);
  std::vector<tutti::Request> requests;
  for (int& value : values) requests.push_back(comm.iallreduce(std::span(&value, 1), tutti::sum));
  tutti::wait_all(requests);
  EXPECT(std::ranges::count(values, comm.size()) == 1000);
}

void persistent_requests_start_again_and_again(tutti::Communicator& comm) {
  Buffers apart(comm, 0), inside(comm, 0);
  std::vector<tutti::PersistentRequest> requests;
  requests.push_back(comm.allreduce_init(apart.sum, apart.sums, tutti::sum));
  requests.push_back(comm.broadcast_init(apart.sent));
  requests.push_back(comm.reduce_init(apart.reduced, apart.reduced_out, tutti::sum));
  requests.push_back(comm.reduce_scatter_init(apart.blocks, apart.block, tutti::sum));
  requests.push_back(comm.allgather_init(apart.gather, apart.gathered));
  requests.push_back(comm.barrier_init());
  requests.push_back(comm.allreduce_init(inside.sum, tutti::sum));
  requests.push_back(comm.broadcast_init(inside.sent));
  requests.push_back(comm.reduce_init(inside.reduced, tutti::sum));
  requests.push_back(comm.reduce_scatter_init(inside.own_blocks, tutti::sum));
  requests.push_back(comm.allgather_init(inside.all));
  for (int round = 1; round < 4; ++round) {
    const Buffers fresh(comm, round);
    apart.fill(fresh);
    inside.fill(fresh);
    for (auto& request : requests) request.start();
    EXPECT(requests[0].active());
    while (!requests[0].test()) continue;
    for (auto& request : requests) request.wait();
    EXPECT(apart.good(comm, round, false) && inside.good(comm, round, true));
  }
}

// ---- communicators -----------------------------------------------------------------------------------

void communicators_split_and_move(tutti::Communicator& comm) {
  auto half = comm.split(comm.rank() % 2);
  EXPECT(half.size() == (comm.size() + 1 - comm.rank() % 2) / 2 && half.rank() == comm.rank() / 2);
  EXPECT(half.allreduce(1, tutti::sum) == half.size());
  auto nobody = comm.split(-1);
  EXPECT(!nobody && nobody.get() == nullptr && nobody.size() == 0);
  auto copy = comm.duplicate();
  tutti::Communicator moved = std::move(copy);
  EXPECT(!copy && moved && moved.get() != nullptr);
  EXPECT(moved.allreduce(1, tutti::sum) == comm.size());
  auto survivors = moved.shrink();
  EXPECT(survivors.size() == comm.size() && survivors.allreduce(1, tutti::sum) == comm.size());

  auto doomed = comm.duplicate();
  if (comm.rank() == 0) doomed.abort("enough");
  EXPECT(throws(TUTTI_ERROR_ABORTED, "enough", [&] { doomed.barrier(); }));
  EXPECT(comm.allreduce(1, tutti::sum) == comm.size());
}

void options_are_set_and_asked_for(tutti::Communicator& comm) {
  comm.set_algorithm("allreduce=ring");
  EXPECT(comm.size() == 1 || comm.choice<float>("allreduce", 1000, tutti::max).starts_with("ring"));
  EXPECT(throws(TUTTI_ERROR_ARGUMENT, "no-such", [&] { comm.set_algorithm("allreduce=no-such"); }));
  comm.set_algorithm("");
  EXPECT(comm.allreduce(1, tutti::sum) == comm.size());
  comm.progress_thread(true);
  requests_wait_in_their_destructor(comm);
  comm.progress_thread(false);
  EXPECT(tutti::version() == tutti_version());
}

// A store over a communicator: what is put becomes known to all with the next fence.
class StoreOverCommunicator {
 public:
  explicit StoreOverCommunicator(tutti::Communicator& comm) : comm_(comm) {}

  void put(std::string_view key, std::span<const std::byte> value) {
    append(std::as_bytes(std::span(key)));
    append(value);
  }
  std::vector<std::byte> get(std::string_view key) const { return published_.at(std::string(key)); }
  void fence() {
    const std::size_t longest = comm_.allreduce(fresh_.size(), tutti::max);
    fresh_.resize(longest);  // zeros at the end read as an empty key
    std::vector<std::byte> all(longest * static_cast<std::size_t>(comm_.size()));
    comm_.allgather(fresh_, all);
    fresh_.clear();
    for (std::size_t begin = 0; begin < all.size(); begin += longest) publish(std::span(all).subspan(begin, longest));
  }

 private:
  void append(std::span<const std::byte> bytes) {
    const auto length = static_cast<std::uint64_t>(bytes.size());
    const auto head = std::as_bytes(std::span(&length, 1));
    fresh_.insert(fresh_.end(), head.begin(), head.end());
    fresh_.insert(fresh_.end(), bytes.begin(), bytes.end());
  }
  static std::span<const std::byte> take(std::span<const std::byte>& rest) {
    std::uint64_t length = 0;
    if (rest.size() < sizeof length) return {};
    std::memcpy(&length, rest.data(), sizeof length);
    const auto taken = rest.subspan(sizeof length, static_cast<std::size_t>(length));
    rest = rest.subspan(sizeof length + taken.size());
    return taken;
  }
  void publish(std::span<const std::byte> rest) {
    for (auto key = take(rest); !key.empty(); key = take(rest)) {
      const auto value = take(rest);
      published_[std::string(reinterpret_cast<const char*>(key.data()), key.size())].assign(value.begin(), value.end());
    }
  }

  tutti::Communicator& comm_;
  std::vector<std::byte> fresh_;
  std::map<std::string, std::vector<std::byte>> published_;
};

struct BrokenStore {
  void put(std::string_view, std::span<const std::byte>) { throw std::runtime_error("the disk is full"); }
  std::vector<std::byte> get(std::string_view) { throw std::runtime_error("the disk is full"); }
  void fence() { throw std::runtime_error("the disk is full"); }
};

void a_store_of_the_callers_own_starts_a_communicator(tutti::Communicator& comm) {
  StoreOverCommunicator store(comm);
  auto second = tutti::Communicator::from_store(store, comm.rank(), comm.size());
  EXPECT(second.rank() == comm.rank() && second.allreduce(1, tutti::sum) == comm.size());
  if (comm.size() > 1) {
    BrokenStore broken;
    std::string caught;
    try {
      tutti::Communicator::from_store(broken, comm.rank(), comm.size());
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    EXPECT(caught == "the disk is full");
  }
}

void threads_of_one_process_are_ranks_too() {
  auto ranks = tutti::Communicator::threads(3);
  EXPECT(ranks.size() == 3);
  std::array<int, 3> results{};
  std::vector<std::jthread> threads;
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    threads.emplace_back([&ranks, &results, r] { results[r] = ranks[r].allreduce(ranks[r].rank() + 1, tutti::sum); });
  }
  threads.clear();
  EXPECT((results == std::array{6, 6, 6}));
  EXPECT(throws(TUTTI_ERROR_ARGUMENT, "", [] { tutti::Communicator::threads(0); }));
}

}  // namespace

int main() {
  try {
    auto world = tutti::Communicator::from_env();
    halves_round_to_nearest_even();
    every_element_type_travels(world);
    every_operation_combines(world);
    blocking_collectives_take_any_contiguous_range(world);
    reproducible_sums_take_several_vectors(world);
    vectors_travel_in_few_bits(world);
    lengths_that_do_not_fit_are_refused(world);
    user_operations_are_callables(world);
    nonblocking_collectives_fly_together(world);
    requests_wait_in_their_destructor(world);
    a_thousand_requests_are_outstanding_at_once(world);
    persistent_requests_start_again_and_again(world);
    communicators_split_and_move(world);
    options_are_set_and_asked_for(world);
    a_store_of_the_callers_own_starts_a_communicator(world);
    threads_of_one_process_are_ranks_too();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "face_cpp_test: %s\n", error.what());
    return 1;
  }
  return failures_seen();
}
