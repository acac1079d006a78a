// One endpoint of libfabric as a Wire: tagged messages, a completion queue that is read in batches, an address vector
// that grows with the peers that are connected.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "transports/network_wish.hpp"
#include "transports/ofi/ofi_functions.hpp"
#include "transports/tagged/wire.hpp"

namespace tutti::ofi {

// Which memory is registered: what the provider asks for, or all of it, so that a test can see it done.
enum class Registration { as_asked, always };

class OfiWire final : public tagged::Wire {
 public:
  OfiWire(const NetworkWish& wish, Registration registration = Registration::as_asked);

  const char* name() const override { return name_.c_str(); }
  std::size_t max_message() const override { return max_message_; }
  bool can_sleep() const override { return descriptor_ >= 0; }
  std::string address() const override;
  std::uint64_t connect(tagged::Peer& peer, int rank, std::string_view address) override;
  void register_memory(tagged::Parcel& parcel) override;
  void forget_memory(tagged::Parcel& parcel) override;
  tagged::Sent send(std::uint64_t destination, tagged::Parcel& parcel) override;
  bool receive(tagged::Parcel& parcel) override;
  void withdraw(tagged::Parcel& parcel) override;
  void progress(tagged::WireEvents& events) override;
  void close() override;
  int descriptor() const override { return descriptor_; }
  bool ready_to_sleep() override;

 private:
  void open_queue();
  void read_error(tagged::WireEvents& events);

  const Functions& functions_;
  Info info_;
  std::string name_;
  std::size_t max_message_;
  bool registers_;
  int descriptor_ = -1;
  std::vector<std::pair<tagged::Peer*, std::string>> refused_;  // peers that a send was refused to
  std::uint64_t next_key_ = 1;  // where the provider leaves the choice of memory keys to us
  Owned<fid_fabric> fabric_;
  Owned<fid_domain> domain_;
  Owned<fid_av> addresses_;
  Owned<fid_cq> queue_;
  Owned<fid_ep> endpoint_;
};

// The provider, domain and address that the wish means: the first of those that libfabric finds for it.
Info choose_provider(const NetworkWish& wish, Registration registration);

}  // namespace tutti::ofi
