// See route.hpp. A datagram socket that is connected sends nothing, but the kernel has chosen its own address.
#include "tools/launcher/route.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <memory>

#include "bootstrap/file_descriptor.hpp"
#include "bootstrap/log.hpp"

namespace tutti {

std::string address_towards(const std::string& host) {
  addrinfo wish{};
  wish.ai_family = AF_UNSPEC;
  wish.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), "9", &wish, &list) != 0) return host_name();
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    const FileDescriptor socket(::socket(each->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    char text[NI_MAXHOST];
    if (socket && connect(socket.number(), each->ai_addr, each->ai_addrlen) == 0 &&
        getsockname(socket.number(), reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
        getnameinfo(reinterpret_cast<const sockaddr*>(&own), length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) ==
            0) {
      return text;
    }
  }
  return host_name();
}

}  // namespace tutti
