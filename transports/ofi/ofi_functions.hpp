// The functions of libfabric, found in the library when a job asks for it. Everything else of its interface is inline
// in its headers and goes through the objects that these make.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_tagged.h>

#include <memory>
#include <string>

namespace tutti::ofi {

struct Functions {
  decltype(::fi_getinfo)* getinfo;
  decltype(::fi_freeinfo)* freeinfo;
  decltype(::fi_dupinfo)* dupinfo;
  decltype(::fi_fabric)* fabric;
  decltype(::fi_strerror)* strerror;
  decltype(::fi_version)* version;

  // Throws Error(TUTTI_ERROR_START) where the library is not there. Never unloaded.
  static const Functions& get();

  std::string explain(long code) const { return strerror(static_cast<int>(code < 0 ? -code : code)); }
  // fi_allocinfo() is this, inline.
  fi_info* new_info() const { return dupinfo(nullptr); }
};

struct FreeInfo {
  void operator()(fi_info* info) const { Functions::get().freeinfo(info); }
};
using Info = std::unique_ptr<fi_info, FreeInfo>;

// Objects of libfabric are all closed alike.
struct CloseObject {
  template <class Object>
  void operator()(Object* object) const {
    fi_close(&object->fid);
  }
};
template <class Object>
using Owned = std::unique_ptr<Object, CloseObject>;

}  // namespace tutti::ofi
