// Lossy calls: a vector in parts that travel in different numbers of bits, and the report of what it cost and lost.
#pragma once

#include "runtime/communicator.hpp"

namespace tutti {

// Runs a call in the wires that `how` names, and fills `report` unless it is null.
void run_quantised(Communicator& communicator, const Call& call, const void* input, void* output,
                   const tutti_quantisation& how, tutti_report* report, std::unique_lock<FairMutex>& held);

}  // namespace tutti
