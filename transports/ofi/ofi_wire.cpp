// Endpoint, completions and registration; see ofi_wire.hpp.
#include "transports/ofi/ofi_wire.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "error.hpp"
#include "transports/ofi/ofi.hpp"
#include "transports/tagged/tagged.hpp"

namespace tutti {

std::unique_ptr<Transport> make_ofi_transport(int rank, int size, const NetworkWish& wish) {
  return std::make_unique<tagged::TaggedTransport>(rank, size, std::make_unique<ofi::OfiWire>(wish));
}

namespace ofi {

using tagged::Parcel;
using tagged::Sent;
using tagged::WireEvents;

namespace {

// Long enough for a link's speed, short enough to pass through the caches on its way.
constexpr std::size_t longest_message = 1024 * 1024;
constexpr std::size_t completions_at_once = 32;
constexpr std::size_t most_address_bytes = 512;

void* context_of(Parcel& parcel) { return &parcel; }
// The context is what a parcel begins with: the library may write there.
static_assert(offsetof(Parcel, context) == 0 && sizeof(Parcel::context) >= sizeof(fi_context2));

template <class Object>
Object* checked(const Functions& functions, const fi_info& info, const char* what, int failure, Object* object) {
  if (failure == 0) return object;
  throw error(TUTTI_ERROR_START, "libfabric, provider {}, domain {}: {} fails: {}", info.fabric_attr->prov_name,
              info.domain_attr->name ? info.domain_attr->name : "?", what, functions.explain(failure));
}

int digit_of(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

}  // namespace

OfiWire::OfiWire(const NetworkWish& wish, Registration registration)
    : functions_(Functions::get()), info_(choose_provider(wish, registration)) {
  const auto made = [&](const char* what, int failure, auto* object) {
    return checked(functions_, *info_, what, failure, object);
  };
  const std::string provider = info_->fabric_attr->prov_name;
  name_ = "ofi:" + provider.substr(0, provider.find(';'));
  max_message_ = std::min(info_->ep_attr->max_msg_size, longest_message);
  registers_ = registration == Registration::always || (info_->domain_attr->mr_mode & FI_MR_LOCAL) != 0;
  fid_fabric* fabric = nullptr;
  int failure = functions_.fabric(info_->fabric_attr, &fabric, nullptr);
  fabric_.reset(made("fi_fabric", failure, fabric));
  fid_domain* domain = nullptr;
  failure = fi_domain(fabric_.get(), info_.get(), &domain, nullptr);
  domain_.reset(made("fi_domain", failure, domain));
  fi_av_attr addresses{};
  addresses.type = info_->domain_attr->av_type == FI_AV_MAP ? FI_AV_MAP : FI_AV_TABLE;
  fid_av* vector = nullptr;
  failure = fi_av_open(domain_.get(), &addresses, &vector, nullptr);
  addresses_.reset(made("fi_av_open", failure, vector));
  open_queue();
  fid_ep* endpoint = nullptr;
  failure = fi_endpoint(domain_.get(), info_.get(), &endpoint, nullptr);
  endpoint_.reset(made("fi_endpoint", failure, endpoint));
  made("fi_ep_bind to addresses", fi_ep_bind(endpoint_.get(), &addresses_->fid, 0), endpoint);
  made("fi_ep_bind to a queue", fi_ep_bind(endpoint_.get(), &queue_->fid, FI_TRANSMIT | FI_RECV), endpoint);
  made("fi_enable", fi_enable(endpoint_.get()), endpoint);
}

// With a descriptor to sleep on, where the provider has one.
void OfiWire::open_queue() {
  fi_cq_attr attributes{};
  attributes.format = FI_CQ_FORMAT_MSG;
  attributes.wait_obj = FI_WAIT_FD;
  fid_cq* queue = nullptr;
  if (fi_cq_open(domain_.get(), &attributes, &queue, nullptr) == 0) {
    queue_.reset(queue);
    if (fi_control(&queue_->fid, FI_GETWAIT, &descriptor_) != 0) descriptor_ = -1;
    return;
  }
  attributes.wait_obj = FI_WAIT_NONE;
  const int failure = fi_cq_open(domain_.get(), &attributes, &queue, nullptr);
  queue_.reset(checked(functions_, *info_, "fi_cq_open", failure, queue));
}

std::string OfiWire::address() const {
  std::byte name[most_address_bytes];
  std::size_t bytes = sizeof name;
  const int failure = fi_getname(&endpoint_->fid, name, &bytes);
  checked(functions_, *info_, "fi_getname", failure, this);
  std::string text = fmt::format("{} {} ", info_->fabric_attr->prov_name, info_->addr_format);
  for (std::size_t i = 0; i < bytes; ++i) text += fmt::format("{:02x}", static_cast<unsigned>(name[i]));
  return text;
}

std::uint64_t OfiWire::connect(tagged::Peer&, int rank, std::string_view address) {
  const std::string ours = fmt::format("{} {} ", info_->fabric_attr->prov_name, info_->addr_format);
  if (!address.starts_with(ours))
    throw error(
        TUTTI_ERROR_START,
        "rank {} is reached over libfabric by '{}', this rank by '{}': TUTTI_TRANSPORT=ofi:PROVIDER must name one "
        "that both have",
        rank, address.substr(0, address.rfind(' ')), ours.substr(0, ours.size() - 1));
  const std::string_view digits = address.substr(ours.size());
  std::byte name[most_address_bytes] = {};
  bool good = digits.size() % 2 == 0 && !digits.empty() && digits.size() / 2 <= sizeof name;
  for (std::size_t i = 0; good && i < digits.size(); i += 2) {
    const int high = digit_of(digits[i]), low = digit_of(digits[i + 1]);
    good = high >= 0 && low >= 0;
    if (good) name[i / 2] = static_cast<std::byte>(high << 4 | low);
  }
  const std::size_t internet = info_->addr_format == FI_SOCKADDR_IN    ? 16
                               : info_->addr_format == FI_SOCKADDR_IN6 ? 28
                                                                       : 0;
  if (!good || (internet && digits.size() / 2 != internet))
    throw error(TUTTI_ERROR_START, "'{}' of rank {} is not an address of libfabric's {}", digits, rank,
                info_->fabric_attr->prov_name);
  fi_addr_t destination = FI_ADDR_NOTAVAIL;
  if (const int inserted = fi_av_insert(addresses_.get(), name, 1, &destination, 0, nullptr); inserted != 1)
    throw error(TUTTI_ERROR_START, "libfabric's {} does not take the address of rank {} ({})",
                info_->fabric_attr->prov_name, rank, inserted < 0 ? functions_.explain(inserted) : "no reason given");
  return destination;
}

void OfiWire::register_memory(Parcel& parcel) {
  if (!registers_) return;
  fid_mr* registration = nullptr;
  const std::uint64_t key = info_->domain_attr->mr_mode & FI_MR_PROV_KEY ? 0 : next_key_++;
  const int failure =
      fi_mr_reg(domain_.get(), parcel.data, parcel.capacity, FI_SEND | FI_RECV, 0, key, 0, &registration, nullptr);
  checked(functions_, *info_, "fi_mr_reg", failure, registration);
  parcel.registration = registration;
  if (info_->domain_attr->mr_mode & FI_MR_ENDPOINT) {
    checked(functions_, *info_, "fi_mr_bind", fi_mr_bind(registration, &endpoint_->fid, 0), registration);
    checked(functions_, *info_, "fi_mr_enable", fi_mr_enable(registration), registration);
  }
  parcel.descriptor = fi_mr_desc(registration);
}

void OfiWire::forget_memory(Parcel& parcel) {
  if (parcel.registration) fi_close(&static_cast<fid_mr*>(parcel.registration)->fid);
}

// ---- hot path ----

Sent OfiWire::send(std::uint64_t destination, Parcel& parcel) {
  // Not injected: that would succeed with the bytes still in a queue of the provider, where they stay for as long as
  // this rank does something else.
  const ssize_t failure = fi_tsend(endpoint_.get(), parcel.data, parcel.bytes, parcel.descriptor, destination,
                                   parcel.tag, context_of(parcel));
  if (failure == 0) return Sent::pending;
  if (failure == -FI_EAGAIN) return Sent::later;
  refused_.emplace_back(parcel.peer, functions_.explain(failure));
  return Sent::later;
}

bool OfiWire::receive(Parcel& parcel) {
  return fi_trecv(endpoint_.get(), parcel.data, parcel.capacity, parcel.descriptor, FI_ADDR_UNSPEC, parcel.tag, 0,
                  context_of(parcel)) == 0;
}

void OfiWire::withdraw(Parcel& parcel) { fi_cancel(&endpoint_->fid, context_of(parcel)); }

void OfiWire::progress(WireEvents& events) {
  fi_cq_msg_entry entries[completions_at_once];
  while (true) {
    const ssize_t count = fi_cq_read(queue_.get(), entries, completions_at_once);
    for (ssize_t i = 0; i < count; ++i) {
      Parcel& parcel = *static_cast<Parcel*>(entries[i].op_context);
      if (entries[i].flags & FI_RECV)
        events.received(parcel, entries[i].len);
      else
        events.sent(parcel);
    }
    if (count == -FI_EAVAIL)
      read_error(events);
    else if (count < static_cast<ssize_t>(completions_at_once))
      break;
  }
  if (refused_.empty()) [[likely]]
    return;
  for (auto& [peer, reason] : std::exchange(refused_, {})) events.lost(*peer, reason);
}

// ---- end of the hot path ----

void OfiWire::read_error(WireEvents& events) {
  fi_cq_err_entry entry{};
  if (fi_cq_readerr(queue_.get(), &entry, 0) <= 0 || entry.op_context == nullptr) return;
  Parcel& parcel = *static_cast<Parcel*>(entry.op_context);
  if (entry.err == FI_ECANCELED && !parcel.is_send)
    events.withdrawn(parcel);
  else
    events.failed(parcel, functions_.explain(entry.err));
}

void OfiWire::close() { endpoint_.reset(); }

bool OfiWire::ready_to_sleep() {
  fid* queue = &queue_->fid;
  return fi_trywait(fabric_.get(), &queue, 1) == 0;
}

}  // namespace ofi
}  // namespace tutti
