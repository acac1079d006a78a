// The pool of memory that a network library may touch. It grows to what was in use at one time and stays there.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "transports/tagged/wire.hpp"

namespace tutti::tagged {

class Parcels {
 public:
  Parcels(Wire& wire, std::size_t short_bytes) : wire_(wire), short_bytes_(short_bytes) {}
  ~Parcels();
  Parcels(const Parcels&) = delete;
  Parcels& operator=(const Parcels&) = delete;

  // One that holds a short message with its header.
  Parcel& take_short() { return take(0, short_bytes_); }
  Parcel& take(std::size_t bytes);
  void give_back(Parcel& parcel);

  // Withdraws all receives that the library still has.
  void withdraw_receives();

  // So many of short messages were taken and not given back.
  std::size_t short_in_use() const { return short_in_use_; }

 private:
  static constexpr std::size_t classes = 1 + 64;
  Parcel& take(std::uint32_t size_class, std::size_t capacity);

  Wire& wire_;
  std::size_t short_bytes_;
  std::size_t short_in_use_ = 0;
  Parcel* free_[classes] = {};
  std::vector<std::unique_ptr<Parcel>> all_;
};

}  // namespace tutti::tagged
