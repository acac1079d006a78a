// One worker of UCX as a Wire: tagged messages, an endpoint for each peer that is connected, which tells when the peer
// is lost.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "transports/network_wish.hpp"
#include "transports/tagged/wire.hpp"
#include "transports/ucx/ucx_functions.hpp"

namespace tutti::ucx {

class UcxWire final : public tagged::Wire {
 public:
  explicit UcxWire(const NetworkWish& wish);
  ~UcxWire() override;
  UcxWire(const UcxWire&) = delete;
  UcxWire& operator=(const UcxWire&) = delete;

  const char* name() const override { return name_.c_str(); }
  std::size_t max_message() const override;
  bool can_sleep() const override { return descriptor_ >= 0; }
  std::string address() const override { return address_; }
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
  // What a callback was told; the transport hears of it from progress() alone.
  struct Ended {
    tagged::Parcel* parcel;
    ucs_status_t status;
    std::size_t bytes;
  };
  struct Endpoint {
    ucp_ep_h handle;
    tagged::Peer* peer;
    UcxWire* wire;
  };

  static void sent(void* request, ucs_status_t status, void* parcel);
  static void received(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info, void* parcel);
  static void lost(void* endpoint, ucp_ep_h handle, ucs_status_t status);
  void deliver(tagged::WireEvents& events);
  void finish(void* request);
  std::string own_address() const;

  const Functions& functions_;
  std::string name_;
  std::string address_;
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  int descriptor_ = -1;
  std::vector<Ended> ended_, delivering_;
  std::vector<std::pair<tagged::Peer*, std::string>> lost_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
};

}  // namespace tutti::ucx
