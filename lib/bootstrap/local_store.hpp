// A store for ranks that are threads of one process.
#pragma once

#include <memory>
#include <vector>

#include "bootstrap/store.hpp"

namespace tutti {

// One store for each rank; all show the same values. Each may outlive the others.
std::vector<std::unique_ptr<Store>> make_local_stores(int size);

}  // namespace tutti
