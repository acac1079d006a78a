// TUTTI_TRANSPORT as a list of wishes, and the network transports that fulfil them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "transports/transport.hpp"

namespace tutti {

// One transport of a list, such as shm, ofi or ofi:tcp.
struct TransportWish {
  std::string transport;  // shm, ofi or ucx
  std::string detail;     // the provider of ofi, the transports of ucx; empty: any
  bool operator==(const TransportWish&) const = default;
};

// In order of preference; empty: the default, shared memory and then whichever network can be had. Throws
// TUTTI_ERROR_ARGUMENT for a transport that does not exist; `source` names the variable in the message.
std::vector<TransportWish> parse_transports(const std::vector<std::string>& list, std::string_view source);
// TUTTI_TRANSPORT and TUTTI_OFI_PROVIDER.
std::vector<TransportWish> transports_from_environment();
bool wishes_shm(const std::vector<TransportWish>& wishes);

// The network transports of a list that this machine can give, in its order. Those that it cannot give are told at log
// level info if there is another, else the error says why each is missing. `avoided`: interfaces that reach nobody.
std::vector<std::unique_ptr<Transport>> make_networks(const std::vector<TransportWish>& wishes, int rank, int size,
                                                      const std::vector<std::string>& avoided = {});

}  // namespace tutti
