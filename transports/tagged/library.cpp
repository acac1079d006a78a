// dlopen and dlsym with errors that say what to install; see library.hpp.
#include "transports/tagged/library.hpp"

#include <dlfcn.h>

#include "error.hpp"

namespace tutti::tagged {

Library::Library(const std::string& file, const std::string& package)
    : file_(file), handle_(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr) {
    const char* reason = dlerror();
    throw error(TUTTI_ERROR_START, "{} cannot be opened ({}): on Debian, apt-get install {}", file,
                reason ? reason : "no reason given", package);
  }
}

void* Library::function(const char* name, const char* version) const {
  void* found = version ? dlvsym(handle_, name, version) : nullptr;
  if (found == nullptr) found = dlsym(handle_, name);
  if (found == nullptr) throw error(TUTTI_ERROR_START, "{} has no function {}: too old?", file_, name);
  return found;
}

}  // namespace tutti::tagged
