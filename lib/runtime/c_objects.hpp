// The C interface's objects, and what every function of it does: exceptions to codes.
#pragma once

#include <memory>
#include <new>

#include "runtime/communicator.hpp"

struct tutti_comm {
  std::unique_ptr<tutti::Communicator> communicator;
};

struct tutti_request {
  tutti_comm* comm = nullptr;
  tutti::Communicator::Started started;
  bool active = false;
  // Persistent requests: what to start, on a channel of their own, so that ranks may start them in any order.
  std::unique_ptr<tutti::Communicator> own;
  tutti::Call call;
  const void* input = nullptr;
  void* output = nullptr;
  tutti::Communicator& communicator() { return own ? *own : *comm->communicator; }
};

namespace tutti::c {

// Keeps the message for tutti_error_message; gives the code back.
int failed(const tutti_comm* comm, tutti_result code, const char* message);

// Runs `body`; a code instead of an exception.
template <class Body>
int guarded(const tutti_comm* comm, Body body) noexcept {
  try {
    body();
    return TUTTI_OK;
  } catch (const Error& caught) {
    return failed(comm, caught.code(), caught.what());
  } catch (const std::bad_alloc&) {
    return failed(comm, TUTTI_ERROR_MEMORY, "the system gave no memory");
  } catch (const std::exception& caught) {
    return failed(comm, TUTTI_ERROR_INTERNAL, caught.what());
  }
}

Communicator& checked(tutti_comm* comm);

template <class Pointer>
void need(Pointer pointer, const char* what) {
  if (!pointer) throw error(TUTTI_ERROR_ARGUMENT, "{} is null", what);
}

}  // namespace tutti::c
