// A shared library that is opened when a job asks for it, so that a job inside a node carries none of them.
#pragma once

#include <string>

namespace tutti::tagged {

class Library {
 public:
  // Throws Error(TUTTI_ERROR_START) that names the Debian package where `file` cannot be opened. Stays open for the
  // life of the process: such libraries leave threads and handlers behind.
  Library(const std::string& file, const std::string& package);

  // The function `name`, of the binary interface `version` where the library has several.
  void* function(const char* name, const char* version = nullptr) const;
  template <class Function>
  void find(Function*& function_pointer, const char* name, const char* version = nullptr) const {
    function_pointer = reinterpret_cast<Function*>(function(name, version));
  }

 private:
  std::string file_;
  void* handle_;
};

}  // namespace tutti::tagged
