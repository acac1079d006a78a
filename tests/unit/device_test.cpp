// Every algorithm runs on buffers in a memory that the host can neither read nor write, where kernels complete when
// they are asked about, or later: the same schedules, with staging where the transport needs it.
#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "error.hpp"
#include "tests/catch.hpp"
#include "tests/mock_device.hpp"
#include "tests/processes/agreement_values.hpp"

using namespace tutti;
using namespace tutti::testing;
using test::Bytes;
using test::MockDevice;

namespace {

// A device that the library knows as long as this lives.
class Known {
 public:
  explicit Known(int polls) {
    MockDevice::Options options;
    options.polls = polls;
    device_ = std::make_shared<MockDevice>(options);
    register_device(device_);
  }
  ~Known() { unregister_device(device_.get()); }
  Known(const Known&) = delete;
  Known& operator=(const Known&) = delete;
  MockDevice* operator->() const { return device_.get(); }
  MockDevice& operator*() const { return *device_; }

 private:
  std::shared_ptr<MockDevice> device_;
};

// A buffer on a device, with room before and behind it that nobody may touch.
class DeviceBuffer {
 public:
  DeviceBuffer(MockDevice& device, std::size_t bytes)
      : device_(device), bytes_(bytes), memory_(static_cast<unsigned char*>(device.allocate(bytes + 2 * guard))) {
    write(Bytes(bytes + 2 * guard, 0xa5), 0);
  }
  ~DeviceBuffer() { device_.release(memory_); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  unsigned char* data() { return memory_ + guard; }
  void fill(const Bytes& bytes, std::size_t at) { write(bytes, guard + at); }
  Bytes read() {
    Bytes all(bytes_ + 2 * guard);
    device_.wait(device_.copy_out(all.data(), memory_, all.size()));
    for (std::size_t i = 0; i < guard; ++i)
      demand(all[i] == 0xa5 && all[guard + bytes_ + i] == 0xa5, "bytes beside a buffer were written");
    return {all.begin() + guard, all.begin() + static_cast<std::ptrdiff_t>(guard + bytes_)};
  }

 private:
  static constexpr std::size_t guard = 64;
  void write(const Bytes& bytes, std::size_t at) {
    device_.wait(device_.copy_in(memory_ + at, bytes.data(), bytes.size()));
  }
  MockDevice& device_;
  std::size_t bytes_;
  unsigned char* memory_;
};

int run_call(const Case& c, const testing::Shape& shape, const void* in, void* out, tutti_comm* comm) {
  switch (c.algorithm->kind) {
    case Kind::allreduce:
      return tutti_allreduce(in, out, shape.block, c.type, c.op, comm);
    case Kind::broadcast:
      return tutti_broadcast(out, shape.block, c.type, c.root, comm);
    case Kind::reduce:
      return tutti_reduce(in, out, shape.block, c.type, c.op, c.root, comm);
    case Kind::reduce_scatter:
      return tutti_reduce_scatter(in, out, shape.block, c.type, c.op, comm);
    case Kind::allgather:
      return tutti_allgather(in, out, shape.block, c.type, comm);
    case Kind::alltoall:
      return tutti_alltoall(in, out, shape.block, c.type, comm);
    case Kind::barrier:
      return tutti_barrier(comm);
  }
  throw std::logic_error("no such collective");
}

void check_result(const Case& c, const testing::Shape& shape, int rank, const Bytes& result,
                  const std::vector<Bytes>& patterns) {
  const std::size_t element = shape.element, block = shape.block * element;
  const auto own = static_cast<std::size_t>(rank);
  const Kind kind = c.algorithm->kind;
  if (kind == Kind::broadcast)
    compare(result.data(), block, patterns[static_cast<std::size_t>(c.root)], 0, element, "the result");
  if (kind == Kind::allgather)
    for (std::size_t other = 0; other < patterns.size(); ++other)
      compare(result.data() + other * block, block, patterns[other], 0, element, "a block");
  if (kind == Kind::alltoall)
    for (std::size_t other = 0; other < patterns.size(); ++other)
      compare(result.data() + other * block, block, patterns[other], own * block, element, "a block");
  if (combines(kind) && (kind != Kind::reduce || c.root == rank))
    compare(result.data(), block, combined(c, patterns), kind == Kind::reduce_scatter ? own * block : 0, element,
            "the result");
  if (kind == Kind::reduce_scatter && c.in_place)
    for (std::size_t other = 1; other < patterns.size(); ++other)
      if (other != own)
        compare(result.data() + other * block, block, patterns[own], other * block, element,
                "a block beside the result");
}

void run_on_device(const Case& c, MockDevice& device, tutti_comm* comm, int rank) {
  call(tutti_comm_set_algorithm(comm, setting(c).c_str()), "tutti_comm_set_algorithm");
  const testing::Shape shape(c);
  const std::vector<Bytes> patterns = patterns_of(c, shape);
  const Bytes& own = patterns[static_cast<std::size_t>(rank)];
  const Kind kind = c.algorithm->kind;
  const bool has_result = kind != Kind::reduce || c.root == rank;
  const bool shared = (c.in_place || kind == Kind::broadcast) && has_result;
  DeviceBuffer in(device, (shared ? std::max(shape.in, shape.out) : shape.in) * shape.element);
  DeviceBuffer out(device, shape.out * shape.element);
  Bytes input(shape.in * shape.element);
  repeat(input.data(), input.size(), own);
  const std::size_t place = shared && kind == Kind::allgather ? static_cast<std::size_t>(rank) * input.size() : 0;
  if (kind != Kind::broadcast || rank == c.root) in.fill(input, place);
  unsigned char* const result = shared ? in.data() : has_result ? out.data() : nullptr;
  const int answer = run_call(c, shape, in.data(), result, comm);
  if (shared && !runs_in_place(kind) && shape.in > 0)  // it would need a copy
    return demand(answer == TUTTI_ERROR_UNSUPPORTED, "an alltoall in place was not refused");
  call(answer, "the call");
  const Bytes after = in.read();
  if (!shared) demand(after == input, "the input was changed");
  if (shape.in > 0) check_result(c, shape, rank, shared ? after : out.read(), patterns);
}

// The cases of one number of ranks, all ranks at once.
void run_ranks_on_device(int size, MockDevice& device, const std::vector<Case>& cases) {
  std::vector<tutti_comm*> comms(static_cast<std::size_t>(size));
  call(tutti_init_threads(size, comms.data()), "tutti_init_threads");
  std::mutex lock;
  std::string failure;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      tutti_comm* comm = comms[static_cast<std::size_t>(rank)];
      for (const Case& c : cases) try {
          run_on_device(c, device, comm, rank);
        } catch (const std::exception& wrong) {
          {
            const std::lock_guard guard(lock);
            if (failure.empty()) failure = describe(c) + ", rank " + std::to_string(rank) + ": " + wrong.what();
          }
          tutti_comm_abort(comm, "the test failed");
          break;
        }
      tutti_comm_free(comm);
    });
  for (std::thread& thread : threads) thread.join();
  INFO("failed: " << failure);
  CHECK(failure.empty());
}

std::vector<Case> cases_of(int size) {
  std::vector<Case> cases;
  for (const Algorithm& algorithm : catalogue()) {
    Case c;
    c.algorithm = &algorithm;
    c.size = size;
    if (must_be_refused(c)) continue;
    int turn = 0;
    for (std::uint64_t count : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{257}, std::uint64_t{20000}})
      for (bool in_place : {false, true}) {
        if (algorithm.kind == Kind::barrier && count > 0) continue;
        c.count = count;
        c.in_place = in_place;
        c.root = rooted(algorithm.kind) ? (turn + 1) % size : 0;
        // Types of each width, and what an average needs at the end, over windows in flight.
        constexpr tutti_type types[] = {TUTTI_INT32, TUTTI_BFLOAT16, TUTTI_FLOAT64, TUTTI_COMPLEX64, TUTTI_UINT8};
        c.type = types[turn % 5];
        c.op = combines(algorithm.kind) && turn % 2 ? TUTTI_AVG : TUTTI_SUM;
        c.window = count > 1000 && turn % 4 < 2 ? "window=16K, in-flight=3" : "";
        cases.push_back(c);
        ++turn;
      }
    c.count = 5000;
    c.type = TUTTI_FLOAT32;
    c.op = combines(algorithm.kind) ? TUTTI_AVG : TUTTI_SUM;
    c.window = "window=16K, in-flight=2";
    if (algorithm.kind != Kind::barrier)
      for (bool in_place : {false, true}) {
        c.in_place = in_place;
        cases.push_back(c);
      }
  }
  return cases;
}

}  // namespace

TEST_CASE("every algorithm is right on memory that the host cannot touch, and gives back what it took of it") {
  // 0: a thread of the device completes its work; else the so-many-th question about it does.
  for (int polls : {0, 1, 3}) {
    const Known device(polls);
    for (int size : {1, 2, 3, 5, 8}) {
      INFO(size << " ranks, completion after " << polls << " questions");
      run_ranks_on_device(size, *device, cases_of(size));
      CHECK(device->allocated() == 0);
    }
    CHECK(device->started() > 1000);
  }
}

TEST_CASE("buffers of a call must lie in one memory") {
  const Known device(1);
  tutti_comm* comm = nullptr;
  REQUIRE(tutti_init_threads(1, &comm) == TUTTI_OK);
  void* there = device->allocate(64);
  std::int32_t here[16] = {};
  CHECK(tutti_allreduce(here, there, 16, TUTTI_INT32, TUTTI_SUM, comm) == TUTTI_ERROR_ARGUMENT);
  CHECK_THAT(tutti_error_message(comm), ContainsSubstring("same memory"));
  CHECK(tutti_allreduce(there, here, 16, TUTTI_INT32, TUTTI_SUM, comm) == TUTTI_ERROR_ARGUMENT);
  CHECK(tutti_allreduce(here, here, 16, TUTTI_INT32, TUTTI_SUM, comm) == TUTTI_OK);
  device->release(there);
  CHECK(tutti_comm_free(comm) == TUTTI_OK);
}

TEST_CASE("a user's operation is refused where the host cannot reach the buffers") {
  const Known device(1);
  tutti_comm* comm = nullptr;
  REQUIRE(tutti_init_threads(1, &comm) == TUTTI_OK);
  tutti_op op;
  REQUIRE(tutti_op_create(combine_any_order, nullptr, 1, &op) == TUTTI_OK);
  void* there = device->allocate(64);
  CHECK(tutti_allreduce(there, there, 16, TUTTI_INT32, op, comm) == TUTTI_ERROR_UNSUPPORTED);
  CHECK_THAT(tutti_error_message(comm), ContainsSubstring("user's operation"));
  device->release(there);
  CHECK(tutti_op_free(op) == TUTTI_OK);
  CHECK(tutti_comm_free(comm) == TUTTI_OK);
}

TEST_CASE("a communicator may work on host memory and on a device in turn") {
  const Known device(2);
  tutti_comm* comms[2] = {};
  REQUIRE(tutti_init_threads(2, comms) == TUTTI_OK);
  std::string failures[2];
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank] {
      try {
        const std::size_t count = 30000;
        std::vector<std::int32_t> host(count);
        DeviceBuffer buffer(*device, count * 4);
        for (std::int32_t round = 1; round <= 6; ++round) {
          std::fill(host.begin(), host.end(), round * static_cast<std::int32_t>(rank + 1));
          Bytes bytes(count * 4);
          std::copy_n(reinterpret_cast<const unsigned char*>(host.data()), bytes.size(), bytes.data());
          buffer.fill(bytes, 0);
          // The same call, so the same plan.
          call(tutti_allreduce(host.data(), host.data(), count, TUTTI_INT32, TUTTI_SUM, comms[rank]), "on the host");
          call(tutti_allreduce(buffer.data(), buffer.data(), count, TUTTI_INT32, TUTTI_SUM, comms[rank]), "there");
          std::copy_n(reinterpret_cast<const unsigned char*>(host.data()), bytes.size(), bytes.data());
          demand(host == std::vector<std::int32_t>(count, 3 * round), "the sum on the host");
          demand(buffer.read() == bytes, "the sum on the device");
        }
      } catch (const std::exception& wrong) {
        failures[rank] = wrong.what();
        tutti_comm_abort(comms[rank], "the test failed");
      }
      tutti_comm_free(comms[rank]);
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(failures[0].empty());
  CHECK(failures[1].empty());
  CHECK(device->allocated() == 0);
}
