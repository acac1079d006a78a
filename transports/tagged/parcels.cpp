// Free lists by size; see parcels.hpp.
#include "transports/tagged/parcels.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

namespace tutti::tagged {

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t least = 512;

}  // namespace

Parcels::~Parcels() {
  for (const auto& parcel : all_) {
    wire_.forget_memory(*parcel);
    std::free(parcel->data);
  }
}

Parcel& Parcels::take(std::size_t bytes) {
  const std::size_t capacity = std::bit_ceil(std::max(bytes, least));
  return take(1 + static_cast<std::uint32_t>(std::countr_zero(capacity)), capacity);
}

Parcel& Parcels::take(std::uint32_t size_class, std::size_t capacity) {
  Parcel* parcel = free_[size_class];
  if (parcel == nullptr) {
    auto made = std::make_unique<Parcel>();
    const std::size_t alignment = capacity < page ? 64 : page;
    const std::size_t bytes = (capacity + alignment - 1) / alignment * alignment;
    made->data = static_cast<std::byte*>(std::aligned_alloc(alignment, bytes));
    if (made->data == nullptr) throw std::bad_alloc();
    made->capacity = capacity;
    made->size_class = size_class;
    parcel = made.get();
    all_.push_back(std::move(made));
    wire_.register_memory(*parcel);
  } else {
    free_[size_class] = parcel->next;
  }
  if (size_class == 0) ++short_in_use_;
  parcel->next = nullptr;
  parcel->peer = nullptr;
  parcel->slot = 0;
  parcel->bytes = 0;
  parcel->with_library = false;
  parcel->queued = false;
  parcel->owned = true;
  parcel->is_send = false;
  parcel->done = false;
  parcel->abandoned = false;
  parcel->misfit = false;
  return *parcel;
}

void Parcels::give_back(Parcel& parcel) {
  if (parcel.size_class == 0) --short_in_use_;
  parcel.next = free_[parcel.size_class];
  free_[parcel.size_class] = &parcel;
}

void Parcels::withdraw_receives() {
  for (const auto& parcel : all_)
    if (parcel->with_library && !parcel->is_send) wire_.withdraw(*parcel);
}

}  // namespace tutti::tagged
