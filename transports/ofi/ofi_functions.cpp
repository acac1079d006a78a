// Finds libfabric; see ofi_functions.hpp.
#include "transports/ofi/ofi_functions.hpp"

#include <cstdlib>

#include "transports/tagged/library.hpp"

namespace tutti::ofi {

const Functions& Functions::get() {
  static const Functions functions = [] {
    // How often connections are looked after, in microseconds. With the 10,000 of the library's own a job spends most
    // of its start in waiting for that.
    setenv("FI_OFI_RXM_CM_PROGRESS_INTERVAL", "1000", 0);
    const tagged::Library library("libfabric.so.1", "libfabric1");
    // The layout of fi_info belongs to a version of these functions: the one of the headers that this was built with.
    // Headers from 1.9 to 1.20 speak FABRIC_1.3 to 1.7, each of which only appends to the one before.
#if FI_MAJOR_VERSION > 1
    constexpr const char* abi = "FABRIC_1.8";
#elif FI_MINOR_VERSION >= 20
    constexpr const char* abi = "FABRIC_1.7";
#else
    constexpr const char* abi = "FABRIC_1.3";
#endif
    Functions found{};
    library.find(found.getinfo, "fi_getinfo", abi);
    library.find(found.freeinfo, "fi_freeinfo", abi);
    library.find(found.dupinfo, "fi_dupinfo", abi);
    library.find(found.fabric, "fi_fabric");
    library.find(found.strerror, "fi_strerror");
    library.find(found.version, "fi_version");
    return found;
  }();
  return functions;
}

}  // namespace tutti::ofi
