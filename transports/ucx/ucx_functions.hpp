// The functions of UCX, found in its library when a job asks for it.
#pragma once

#include <ucp/api/ucp.h>

#include <string>

namespace tutti::ucx {

struct Functions {
  decltype(::ucp_get_version)* get_version;
  decltype(::ucp_config_read)* config_read;
  decltype(::ucp_config_modify)* config_modify;
  decltype(::ucp_config_release)* config_release;
  decltype(::ucp_init_version)* init_version;
  decltype(::ucp_cleanup)* cleanup;
  decltype(::ucp_context_print_info)* context_print_info;
  decltype(::ucp_worker_create)* worker_create;
  decltype(::ucp_worker_destroy)* worker_destroy;
  decltype(::ucp_worker_query)* worker_query;
  decltype(::ucp_worker_release_address)* worker_release_address;
  decltype(::ucp_worker_progress)* worker_progress;
  decltype(::ucp_worker_flush_nbx)* worker_flush_nbx;
  decltype(::ucp_worker_get_efd)* worker_get_efd;
  decltype(::ucp_worker_arm)* worker_arm;
  decltype(::ucp_ep_create)* ep_create;
  decltype(::ucp_ep_close_nbx)* ep_close_nbx;
  decltype(::ucp_tag_send_nbx)* tag_send_nbx;
  decltype(::ucp_tag_recv_nbx)* tag_recv_nbx;
  decltype(::ucp_request_cancel)* request_cancel;
  decltype(::ucp_request_check_status)* request_check_status;
  decltype(::ucp_request_free)* request_free;
  decltype(::ucp_mem_map)* mem_map;
  decltype(::ucp_mem_unmap)* mem_unmap;
  decltype(::ucs_status_string)* status_string;

  // Throws Error(TUTTI_ERROR_START) where the library is not there. Never unloaded.
  static const Functions& get();

  // "1.13"
  std::string version() const;
};

}  // namespace tutti::ucx
