// libfabric's provider `sockets` with FI_MR_BASIC: every parcel is registered, as network cards want it.
#include "tests/unit/transport_conformance.hpp"
#include "transports/ofi/ofi_wire.hpp"
#include "transports/tagged/tagged.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

const UnderTest sockets("ofi:sockets, registered", [](int size) {
  return connected_ranks(size, [&](int rank) {
    auto wire = std::make_unique<ofi::OfiWire>(NetworkWish{"sockets", {"lo"}}, ofi::Registration::always);
    return std::make_unique<tagged::TaggedTransport>(rank, size, std::move(wire));
  });
});

}  // namespace
