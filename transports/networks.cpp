// See networks.hpp.
#include "transports/networks.hpp"

#include <array>

#include "transports/ofi/ofi.hpp"
#include "transports/ucx/ucx.hpp"

namespace tutti {

namespace {

template <std::unique_ptr<Transport> (*make)(int rank, int size, const NetworkWish& wish)>
std::unique_ptr<Transport> made(int rank, int size, const NetworkWish& wish) {
  return make(rank, size, wish);
}

constexpr std::array table = {NetworkTransport{"ofi", made<make_ofi_transport>},
                              NetworkTransport{"ucx", made<make_ucx_transport>}};

}  // namespace

std::span<const NetworkTransport> networks() { return table; }

}  // namespace tutti
