// Worker, endpoints and requests; see ucx_wire.hpp.
#include "transports/ucx/ucx_wire.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>

#include "error.hpp"
#include "transports/tagged/tagged.hpp"
#include "transports/ucx/ucx.hpp"
#include "transports/ucx/ucx_context.hpp"

namespace tutti {

std::unique_ptr<Transport> make_ucx_transport(int rank, int size, const NetworkWish& wish) {
  return std::make_unique<tagged::TaggedTransport>(rank, size, std::make_unique<ucx::UcxWire>(wish));
}

namespace ucx {

using tagged::Parcel;
using tagged::Sent;
using tagged::WireEvents;

namespace {

// Long enough for a link's speed, short enough to pass through the caches on its way.
constexpr std::size_t longest_message = 1024 * 1024;
constexpr int rounds_at_once = 16;
constexpr std::chrono::seconds longest_end(1);

// UCX believes every byte of an address, so a damaged one must not get there.
std::uint64_t sum_of(const std::vector<std::byte>& bytes) {
  std::uint64_t sum = 0xcbf29ce484222325u;  // FNV-1a
  for (std::byte byte : bytes) sum = (sum ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3u;
  return sum;
}

int digit_of(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

std::vector<std::byte> bytes_of(std::string_view digits) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    const int high = digit_of(digits[i]), low = digit_of(digits[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes.push_back(static_cast<std::byte>(high << 4 | low));
  }
  return bytes;
}

}  // namespace

UcxWire::UcxWire(const NetworkWish& wish)
    : functions_(Functions::get()), name_(wish.provider.empty() ? "ucx" : "ucx:" + wish.provider) {
  context_ = make_context(wish);
  ucp_worker_params_t parameters{};
  parameters.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  parameters.thread_mode = UCS_THREAD_MODE_SERIALIZED;
  const ucs_status_t status = functions_.worker_create(context_, &parameters, &worker_);
  if (status != UCS_OK) {
    functions_.cleanup(context_);
    throw error(TUTTI_ERROR_START, "UCX {}: ucp_worker_create fails: {}", functions_.version(),
                functions_.status_string(status));
  }
  if (functions_.worker_get_efd(worker_, &descriptor_) != UCS_OK) descriptor_ = -1;
  try {
    address_ = own_address();
  } catch (...) {
    functions_.worker_destroy(worker_);
    functions_.cleanup(context_);
    throw;
  }
}

UcxWire::~UcxWire() {
  close();
  functions_.cleanup(context_);
}

std::size_t UcxWire::max_message() const { return longest_message; }

std::string UcxWire::own_address() const {
  ucp_worker_attr_t attributes{};
  // Ranks that share a node have shared memory of ours.
  attributes.field_mask = UCP_WORKER_ATTR_FIELD_ADDRESS | UCP_WORKER_ATTR_FIELD_ADDRESS_FLAGS;
  attributes.address_flags = UCP_WORKER_ADDRESS_FLAG_NET_ONLY;
  if (const ucs_status_t status = functions_.worker_query(worker_, &attributes); status != UCS_OK)
    throw error(TUTTI_ERROR_START, "UCX {}: ucp_worker_query fails: {}", functions_.version(),
                functions_.status_string(status));
  const auto* begin = reinterpret_cast<const std::byte*>(attributes.address);
  const std::vector<std::byte> bytes(begin, begin + attributes.address_length);
  functions_.worker_release_address(worker_, attributes.address);
  std::string text = fmt::format("ucx{} {:016x} ", functions_.version(), sum_of(bytes));
  for (std::byte byte : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  if (text.size() > 4000)
    throw error(TUTTI_ERROR_START,
                "the address of UCX's worker has {} bytes, too many to be passed on: name fewer devices in "
                "TUTTI_INTERFACE or transports in TUTTI_TRANSPORT=ucx:TRANSPORT",
                bytes.size());
  return text;
}

std::uint64_t UcxWire::connect(tagged::Peer& peer, int rank, std::string_view address) {
  const std::string ours = fmt::format("ucx{} ", functions_.version());
  if (!address.starts_with(ours))
    throw error(TUTTI_ERROR_START, "rank {} is reached by '{}', this rank speaks '{}': both need the same UCX", rank,
                address.substr(0, address.find(' ')), ours.substr(0, ours.size() - 1));
  address.remove_prefix(ours.size());
  const std::size_t space = std::min(address.find(' '), address.size());
  const std::vector<std::byte> bytes = bytes_of(address.substr(std::min(space + 1, address.size())));
  if (bytes.empty() || address.substr(0, space) != fmt::format("{:016x}", sum_of(bytes)) ||
      address.size() != space + 1 + 2 * bytes.size())
    throw error(TUTTI_ERROR_START, "'{}' of rank {} is not a whole address of a UCX worker", address, rank);
  auto endpoint = std::make_unique<Endpoint>(Endpoint{nullptr, &peer, this});
  ucp_ep_params_t parameters{};
  parameters.field_mask =
      UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
  parameters.address = reinterpret_cast<const ucp_address_t*>(bytes.data());
  parameters.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  parameters.err_handler = {lost, endpoint.get()};
  if (const ucs_status_t status = functions_.ep_create(worker_, &parameters, &endpoint->handle); status != UCS_OK)
    throw error(TUTTI_ERROR_START,
                "UCX {} reaches rank {} by none of its transports: {} (TUTTI_TRANSPORT=ucx:TRANSPORT and "
                "TUTTI_INTERFACE say which)",
                functions_.version(), rank, functions_.status_string(status));
  endpoints_.push_back(std::move(endpoint));
  return reinterpret_cast<std::uintptr_t>(endpoints_.back()->handle);
}

void UcxWire::register_memory(Parcel& parcel) {
  ucp_mem_map_params_t parameters{};
  parameters.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH;
  parameters.address = parcel.data;
  parameters.length = parcel.capacity;
  ucp_mem_h handle = nullptr;
  // Without a handle UCX registers what it must by itself.
  if (functions_.mem_map(context_, &parameters, &handle) == UCS_OK) parcel.registration = handle;
}

void UcxWire::forget_memory(Parcel& parcel) {
  if (parcel.registration) functions_.mem_unmap(context_, static_cast<ucp_mem_h>(parcel.registration));
}

// ---- hot path ----

Sent UcxWire::send(std::uint64_t destination, Parcel& parcel) {
  ucp_request_param_t parameters{};
  parameters.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  parameters.cb.send = sent;
  parameters.user_data = &parcel;
  if (parcel.registration) {
    parameters.op_attr_mask |= UCP_OP_ATTR_FIELD_MEMH;
    parameters.memh = static_cast<ucp_mem_h>(parcel.registration);
  }
  parcel.wire = this;
  void* request = functions_.tag_send_nbx(reinterpret_cast<ucp_ep_h>(static_cast<std::uintptr_t>(destination)),
                                          parcel.data, parcel.bytes, parcel.tag, &parameters);
  if (request == nullptr) return Sent::done;
  if (!UCS_PTR_IS_ERR(request)) {
    parcel.request = request;
    return Sent::pending;
  }
  if (UCS_PTR_STATUS(request) != UCS_ERR_NO_RESOURCE)
    lost_.emplace_back(parcel.peer, functions_.status_string(UCS_PTR_STATUS(request)));
  return Sent::later;
}

bool UcxWire::receive(Parcel& parcel) {
  ucp_request_param_t parameters{};
  // Of a message that is there already too, the callback alone tells how long it is.
  parameters.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  parameters.cb.recv = received;
  parameters.user_data = &parcel;
  if (parcel.registration) {
    parameters.op_attr_mask |= UCP_OP_ATTR_FIELD_MEMH;
    parameters.memh = static_cast<ucp_mem_h>(parcel.registration);
  }
  parcel.wire = this;
  parcel.called_back = false;
  void* request =
      functions_.tag_recv_nbx(worker_, parcel.data, parcel.capacity, parcel.tag, ~std::uint64_t{0}, &parameters);
  if (UCS_PTR_IS_ERR(request)) return parcel.called_back;
  parcel.request = parcel.called_back ? nullptr : request;
  return true;
}

void UcxWire::withdraw(Parcel& parcel) {
  if (parcel.request) functions_.request_cancel(worker_, parcel.request);
}

void UcxWire::sent(void* request, ucs_status_t status, void* user_data) {
  Parcel& parcel = *static_cast<Parcel*>(user_data);
  auto& wire = *static_cast<UcxWire*>(parcel.wire);
  parcel.request = nullptr;
  wire.ended_.push_back({&parcel, status, 0});
  wire.functions_.request_free(request);
}

void UcxWire::received(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info, void* user_data) {
  Parcel& parcel = *static_cast<Parcel*>(user_data);
  auto& wire = *static_cast<UcxWire*>(parcel.wire);
  parcel.request = nullptr;
  parcel.called_back = true;
  wire.ended_.push_back({&parcel, status, info ? info->length : 0});
  wire.functions_.request_free(request);
}

void UcxWire::progress(WireEvents& events) {
  for (int round = 0; round < rounds_at_once && functions_.worker_progress(worker_) != 0; ++round) {
  }
  if (!ended_.empty() || !lost_.empty()) deliver(events);
}

void UcxWire::deliver(WireEvents& events) {
  delivering_.swap(ended_);
  for (const Ended& each : delivering_) {
    if (each.status == UCS_ERR_CANCELED && !each.parcel->is_send)
      events.withdrawn(*each.parcel);
    else if (each.status != UCS_OK)
      events.failed(*each.parcel, functions_.status_string(each.status));
    else if (each.parcel->is_send) {
      events.sent(*each.parcel);
    } else
      events.received(*each.parcel, each.bytes);
  }
  delivering_.clear();
  if (lost_.empty()) [[likely]]
    return;
  for (const auto& [peer, reason] : std::exchange(lost_, {})) events.lost(*peer, reason);
}

// ---- end of the hot path ----

void UcxWire::lost(void* user_data, ucp_ep_h, ucs_status_t status) {
  const Endpoint& endpoint = *static_cast<Endpoint*>(user_data);
  endpoint.wire->lost_.emplace_back(endpoint.peer, endpoint.wire->functions_.status_string(status));
}

// Waits for a request of the worker's own, for a while.
void UcxWire::finish(void* request) {
  if (request == nullptr || UCS_PTR_IS_ERR(request)) return;
  const auto limit = tagged::Clock::now() + longest_end;
  while (functions_.request_check_status(request) == UCS_INPROGRESS && tagged::Clock::now() < limit)
    functions_.worker_progress(worker_);
  functions_.request_free(request);
}

void UcxWire::close() {
  if (worker_ == nullptr) return;
  ucp_request_param_t none{};
  finish(functions_.worker_flush_nbx(worker_, &none));
  ucp_request_param_t at_once{};
  at_once.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  at_once.flags = UCP_EP_CLOSE_FLAG_FORCE;
  for (const auto& endpoint : endpoints_) finish(functions_.ep_close_nbx(endpoint->handle, &at_once));
  functions_.worker_destroy(worker_);
  worker_ = nullptr;
  endpoints_.clear();
}

bool UcxWire::ready_to_sleep() { return ended_.empty() && lost_.empty() && functions_.worker_arm(worker_) == UCS_OK; }

}  // namespace ucx
}  // namespace tutti
