// A store over the caller's own put, get and fence (tutti_store_functions), an MPI communicator for instance.
#pragma once

#include <memory>

#include "bootstrap/store.hpp"
#include "tutti/tutti.h"

namespace tutti {

// The functions are copied; what `context` points to must outlive the store. Their limits are the caller's own: get and
// fence wait as long as the functions do. They have one fence without a name, so all ranks must enter fences in the
// same order. Put, get and fence cannot be made to compare (two ranks may both find a key
// absent, then both put it), so compares() is false and compare_and_put an error. Long values are cut into several.
std::unique_ptr<Store> make_function_store(const tutti_store_functions& functions, int rank, int size);

}  // namespace tutti
