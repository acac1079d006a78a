// Memory kinds: the registry of devices, and the mock device that holds other tests true.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "lib/error.hpp"
#include "lib/payload/memory.hpp"
#include "lib/payload/payload.hpp"
#include "tests/catch.hpp"
#include "tests/mock_device.hpp"
#include "tests/unit/payload_reference.hpp"

namespace tutti::test {
namespace {

TEST_CASE("an address belongs to the device that owns it, and to the host when none does") {
  int on_host = 0;
  CHECK(device_of(&on_host) == nullptr);
  const auto first = std::make_shared<MockDevice>(), second = std::make_shared<MockDevice>();
  void* in_first = first->allocate(100);
  void* in_second = second->allocate(100);
  CHECK(device_of(in_first) == nullptr);  // not known yet
  register_device(first);
  register_device(second);
  CHECK(device_of(in_first) == first.get());
  CHECK(device_of(in_second) == second.get());
  CHECK(device_of(&on_host) == nullptr);
  CHECK(device_of(nullptr) == nullptr);
  CHECK_THROWS_WITH(register_device(first), ContainsSubstring("already"));
  CHECK_THROWS_AS(register_device(nullptr), Error);
  unregister_device(first.get());
  CHECK(device_of(in_first) == nullptr);
  CHECK(device_of(in_second) == second.get());
  CHECK_THROWS_AS(unregister_device(first.get()), Error);
  unregister_device(second.get());
  CHECK(device_of(in_second) == nullptr);
  CHECK(second.use_count() == 1);
}

// How a child ends that touches the memory; exit status 0 if nothing happens to it.
int signal_of_touching(void* address, bool write) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);  // the sanitizers and the test framework have handlers of their own
    volatile auto* byte = static_cast<volatile unsigned char*>(address);
    if (write) {
      *byte = 1;
    } else {
      static_cast<void>(*byte);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_CASE("the host can neither read nor write the mock device's memory") {
  MockDevice device;
  void* buffer = device.allocate(64);
  int on_host = 0;
  CHECK(signal_of_touching(&on_host, false) == 0);
  CHECK(signal_of_touching(buffer, false) == SIGSEGV);
  CHECK(signal_of_touching(buffer, true) == SIGSEGV);
}

Bytes read_back(MockDevice& device, const void* buffer, std::size_t bytes) {
  Bytes result(bytes);
  device.wait(device.copy_out(result.data(), buffer, bytes));
  return result;
}

void* filled(MockDevice& device, const Bytes& content) {
  void* buffer = device.allocate(content.size());
  device.wait(device.copy_in(buffer, content.data(), content.size()));
  return buffer;
}

TEST_CASE("the mock device copies, combines, folds and divides in its own memory") {
  const int polls = GENERATE(0, 1, 3);
  MockDevice::Options options;
  options.polls = polls;
  MockDevice device(options);
  std::mt19937_64 random(1);
  const Bytes a = random_elements(TUTTI_BFLOAT16, 1000, random), b = random_elements(TUTTI_BFLOAT16, 1000, random);
  void* in_a = filled(device, a);
  void* in_b = filled(device, b);
  void* out = device.allocate(a.size());
  CHECK(read_back(device, in_a, a.size()) == a);
  device.wait(device.copy(out, in_a, a.size()));
  CHECK(read_back(device, out, a.size()) == a);
  device.wait(device.combine(out, in_a, in_b, 1000, TUTTI_BFLOAT16, TUTTI_PROD));
  CHECK(read_back(device, out, a.size()) == reference_fold(TUTTI_BFLOAT16, TUTTI_PROD, {a, b}));
  const std::array<const void*, 3> sources = {in_a, in_b, in_a};
  device.wait(device.fold(out, sources.data(), sources.size(), 1000, TUTTI_BFLOAT16, TUTTI_AVG));
  const Bytes sum = reference_fold(TUTTI_BFLOAT16, TUTTI_AVG, {a, b, a});
  CHECK(read_back(device, out, a.size()) == sum);
  device.wait(device.divide(out, 1000, TUTTI_BFLOAT16, 3));
  CHECK(read_back(device, out, a.size()) == reference_divide(TUTTI_BFLOAT16, sum, 3));
  for (void* buffer : {in_a, in_b, out}) device.release(buffer);
  CHECK(device.allocated() == 0);
}

TEST_CASE("an operation of the polled mock device is carried out by its k-th poll, and not before") {
  MockDevice::Options options;
  options.polls = 3;
  MockDevice device(options);
  Bytes host(64, 1), result(64, 0);
  void* buffer = filled(device, host);
  const Device::Ticket first = device.copy_out(result.data(), buffer, 32);
  const Device::Ticket second = device.copy_out(result.data() + 32, buffer, 32);
  CHECK_FALSE(device.done(second));
  CHECK_FALSE(device.done(second));
  CHECK(result == Bytes(64, 0));
  CHECK(device.done(second));  // before the first, which nobody asked about
  CHECK(result[0] == 0);
  CHECK(result[63] == 1);
  CHECK_FALSE(device.done(first));
  CHECK_FALSE(device.done(first));
  CHECK(device.done(first));
  CHECK(device.done(first));
  CHECK(result == host);
}

TEST_CASE("the mock device refuses what a real one would silently get wrong") {
  MockDevice::Options options;
  options.polls = 2;
  MockDevice device(options);
  Bytes host(128, 1);
  void* buffer = filled(device, host);
  auto* bytes = static_cast<unsigned char*>(buffer);
  CHECK_THROWS_WITH(device.copy_in(host.data(), host.data(), 8), ContainsSubstring("not in allocated device memory"));
  CHECK_THROWS_WITH(device.copy_in(bytes + 100, host.data(), 100), ContainsSubstring("not in allocated device memory"));
  CHECK_THROWS_WITH(device.copy_in(buffer, buffer, 8), ContainsSubstring("not the host's"));
  const Device::Ticket reading = device.copy_out(host.data(), buffer, 64);
  CHECK_THROWS_WITH(device.copy_in(bytes + 63, host.data() + 64, 8), ContainsSubstring("was not seen to be done"));
  CHECK_THROWS_WITH(device.copy_out(host.data() + 63, bytes + 64, 8), ContainsSubstring("was not seen to be done"));
  CHECK_THROWS_WITH(device.release(buffer), ContainsSubstring("was not seen to be done"));
  CHECK_NOTHROW(device.copy_out(host.data() + 64, buffer, 64));  // two may read
  device.wait(reading);
  CHECK_NOTHROW(device.copy_in(bytes + 64, host.data(), 64) == 0);
  CHECK_THROWS_AS(device.done(99), Error);
  CHECK_THROWS_AS(device.release(&options), Error);
  CHECK_THROWS_AS(device.allocate(options.bytes), Error);
}

}  // namespace
}  // namespace tutti::test
