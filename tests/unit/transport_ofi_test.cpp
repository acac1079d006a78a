// libfabric as a transport, held to the contract over the loopback interface, and what it says where it cannot start.
#include "error.hpp"
#include "tests/catch.hpp"
#include "tests/unit/transport_conformance.hpp"
#include "transports/ofi/ofi.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

const UnderTest tcp("ofi:tcp", [](int size) {
  return connected_ranks(size, [&](int rank) { return make_ofi_transport(rank, size, {"tcp", {"lo"}}); });
});

}  // namespace

TEST_CASE("a provider or an interface that is not there is an error that lists those that are") {
  CHECK_THROWS_WITH(make_ofi_transport(0, 2, {"nowhere", {}}),
                    ContainsSubstring("provider 'nowhere'") && ContainsSubstring("tcp;ofi_rxm on lo"));
  CHECK_THROWS_WITH(make_ofi_transport(0, 2, {"tcp", {"no0"}}),
                    ContainsSubstring("on no0") && ContainsSubstring("tcp;ofi_rxm on lo"));
}

TEST_CASE("an address of another kind than libfabric's own is refused, and says whose it is") {
  const auto two = make_ofi_transport(0, 2, {"tcp", {"lo"}});
  const std::string address = make_ofi_transport(1, 2, {"tcp", {"lo"}})->address();
  for (const std::string& bad : {std::string(), std::string("memfd 1"), "x" + address, address.substr(0, 20),
                                 address + "0", address + "00", address.substr(0, address.size() - 1) + "g"})
    CHECK_THROWS_AS(two->connect(1, bad), Error);
  CHECK_THROWS_WITH(two->connect(1, make_ofi_transport(1, 2, {"sockets", {"lo"}})->address()),
                    ContainsSubstring("rank 1 is reached over libfabric by 'sockets"));
  CHECK_THROWS_WITH(two->connect(2, address), ContainsSubstring("rank 2 is none of the 2 ranks"));
  CHECK_NOTHROW(two->connect(1, address));
}
