// UCX as a transport, held to the contract over the loopback interface, and what it says where it cannot start.
#include <dlfcn.h>

#include <csignal>

#include "error.hpp"
#include "tests/catch.hpp"
#include "tests/unit/transport_conformance.hpp"
#include "transports/ucx/ucx.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

const UnderTest tcp("ucx:tcp", [](int size) {
  return connected_ranks(size, [&](int rank) { return make_ucx_transport(rank, size, {"tcp", {"lo"}}); });
});

}  // namespace

// The first of this program, so that it is the one that loads the library.
TEST_CASE("UCX leaves the handlers of signals as they are") {
  const auto transport = make_ucx_transport(0, 2, {"tcp", {"lo"}});
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    INFO("signal " << signal);
    struct sigaction now {};
    REQUIRE(sigaction(signal, nullptr, &now) == 0);
    Dl_info where{};
    const bool is_function = dladdr(reinterpret_cast<void*>(now.sa_handler), &where) != 0 && where.dli_fname;
    CHECK_THAT(std::string(is_function ? where.dli_fname : ""), !ContainsSubstring("libuc"));
  }
}

TEST_CASE("a transport of UCX or an interface that is not there is an error that lists those that are") {
  CHECK_THROWS_WITH(make_ucx_transport(0, 2, {"nowhere", {}}),
                    ContainsSubstring("transport 'nowhere'") && ContainsSubstring("tcp/lo"));
  CHECK_THROWS_WITH(make_ucx_transport(0, 2, {"tcp", {"no0"}}),
                    ContainsSubstring("on no0") && ContainsSubstring("tcp/lo"));
}

TEST_CASE("an address of another kind than UCX's own, or a damaged one, is refused") {
  const auto two = make_ucx_transport(0, 2, {"tcp", {"lo"}});
  const auto other = make_ucx_transport(1, 2, {"tcp", {"lo"}});
  const std::string address = other->address();
  std::string damaged = address;
  damaged.back() = damaged.back() == '0' ? '1' : '0';
  for (const std::string& bad : {std::string(), std::string("memfd 1"), "x" + address, address.substr(0, 20),
                                 address + "0", address + "00", damaged})
    CHECK_THROWS_AS(two->connect(1, bad), Error);
  CHECK_NOTHROW(two->connect(1, address));
}
