// See control_message.hpp.
#include "runtime/control_message.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <sstream>
#include <type_traits>

#include "bootstrap/environment.hpp"

namespace tutti::control {

namespace {

class Writer {
 public:
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  std::string bytes;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  bool get(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (bytes_.size() < sizeof value) return false;
    std::memcpy(static_cast<void*>(&value), bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return true;
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

bool is_call(const Call& call) { return static_cast<int>(call.kind) <= static_cast<int>(Kind::barrier); }

std::optional<Message> decode_report(Reader& reader, int size) {
  Answer answer;
  if (!reader.get(answer) || !reader.rest().empty()) return std::nullopt;
  RankReport& report = answer.report;
  if (answer.rank < 0 || answer.rank >= size || report.state > RankState::dead || report.waiting > 1 ||
      report.wait.peer >= size)
    return std::nullopt;
  for (CallRecord& record : report.recent)
    if (!is_call(record.call)) record = {no_channel, 0, {}, 0};
  if (!is_call(report.wait.call.call) || report.wait.peer < 0) report.waiting = 0;
  report.network[sizeof report.network - 1] = '\0';
  return answer;
}

std::optional<Message> decode_failure(Reader& reader, int size) {
  Failure failure;
  std::int32_t code = 0;
  if (!reader.get(code) || !reader.get(failure.culprit) || !reader.get(failure.channel) ||
      !reader.get(failure.reporter))
    return std::nullopt;
  if (failure.culprit < -1 || failure.culprit >= size || failure.reporter < 0 || failure.reporter >= size)
    return std::nullopt;
  failure.code = static_cast<tutti_result>(code);
  failure.message = reader.rest();
  return failure;
}

std::optional<Message> decode_decision(Reader& reader, int size) {
  DecisionNews news;
  if (!reader.get(news.key) || !reader.get(news.decided) || !reader.get(news.channel) || news.key == 0)
    return std::nullopt;
  for (std::int32_t rank = 0; reader.get(rank);) {
    if (rank < 0 || rank >= size) return std::nullopt;
    news.ranks.push_back(rank);
  }
  return news;
}

template <class T>
std::optional<Message> decode_plain(Reader& reader, int size) {
  T value;
  if (!reader.get(value) || !reader.rest().empty() || value.rank < 0 || value.rank >= size) return std::nullopt;
  return value;
}

}  // namespace

std::string encode(const Message& message) {
  Writer out;
  out.put(static_cast<std::uint8_t>(message.index()));
  if (const auto* failure = std::get_if<Failure>(&message)) {
    out.put(static_cast<std::int32_t>(failure->code));
    out.put(failure->culprit);
    out.put(failure->channel);
    out.put(failure->reporter);
    out.bytes += failure->message;
  } else if (const auto* news = std::get_if<DecisionNews>(&message)) {
    out.put(news->key);
    out.put(news->decided);
    out.put(news->channel);
    for (std::int32_t rank : news->ranks) out.put(rank);
  } else {
    std::visit(
        [&](const auto& plain) {
          if constexpr (std::is_trivially_copyable_v<std::decay_t<decltype(plain)>>) out.put(plain);
        },
        message);
  }
  return std::move(out.bytes);
}

std::optional<Message> decode(std::string_view bytes, int size) {
  Reader reader(bytes);
  std::uint8_t kind = 0;
  if (!reader.get(kind)) return std::nullopt;
  switch (kind) {
    case 0:
      return decode_plain<Hello>(reader, size);
    case 1:
      return decode_plain<Ended>(reader, size);
    case 2:
      return decode_failure(reader, size);
    case 3:
      return decode_decision(reader, size);
    case 4:
      return decode_plain<Question>(reader, size);
    case 5:
      return decode_report(reader, size);
    default:
      return std::nullopt;
  }
}

std::string Addresses::text() const {
  std::string text = secret + "\n";
  for (std::uint16_t port : ports) text += std::to_string(port) + " ";
  text += "\n";
  for (std::int32_t process : processes) text += std::to_string(process) + " ";
  for (const auto& node : hosts) {
    text += "\n";
    for (const std::string& host : node) text += host + " ";
  }
  return text;
}

std::optional<Addresses> Addresses::parse(std::string_view text) {
  Addresses addresses;
  std::istringstream lines{std::string(text)};
  std::string line;
  if (!std::getline(lines, addresses.secret) || !std::getline(lines, line)) return std::nullopt;
  std::istringstream ports(line);
  for (std::uint16_t port = 0; ports >> port;) addresses.ports.push_back(port);
  if (!std::getline(lines, line)) return std::nullopt;
  std::istringstream processes(line);
  for (std::int32_t process = 0; processes >> process;) addresses.processes.push_back(process);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::vector<std::string> hosts;
    for (std::string host; words >> host;) hosts.push_back(host);
    addresses.hosts.push_back(std::move(hosts));
  }
  return addresses;
}

OwnAddress own_address(int socket) {
  OwnAddress own;
  sockaddr_in6 bound{};
  socklen_t length = sizeof bound;
  getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &length);
  own.port = ntohs(bound.sin6_port);  // at the same place for both families
  const std::vector<std::string> wanted = environment_list("TUTTI_INTERFACE");
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) list = nullptr;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owned(list, &freeifaddrs);
  for (int loopback = 0; loopback < 2; ++loopback)
    for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
      // IPv4 alone keeps the record short; the sockets take both.
      if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET || !(each->ifa_flags & IFF_UP)) continue;
      if (((each->ifa_flags & IFF_LOOPBACK) != 0) != (loopback == 1)) continue;
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), each->ifa_name) == wanted.end()) continue;
      char name[INET_ADDRSTRLEN];
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr, name, sizeof name);
      // A host that has others is not to be looked for where it means whoever looks.
      if (loopback == 0 || own.hosts.empty()) own.hosts.emplace_back(name);
    }
  return own;
}

}  // namespace tutti::control
