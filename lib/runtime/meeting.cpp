// See meeting.hpp.
#include "runtime/meeting.hpp"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

#include "bootstrap/environment.hpp"
#include "bootstrap/log.hpp"
#include "bootstrap/secure_channel.hpp"
#include "bootstrap/whereabouts.hpp"
#include "error.hpp"
#include "runtime/control_message.hpp"
#include "runtime/control_tree.hpp"
#include "runtime/job_record.hpp"
#include "runtime/private_interfaces.hpp"
#include "scheduler/tuning.hpp"
#include "topology/node/cores.hpp"
#include "transports/router/router.hpp"
#include "transports/router/wishes.hpp"
#include "transports/shm/shm.hpp"

namespace tutti {

namespace {

// What the control plane may take to tell an address.
constexpr std::chrono::seconds answer_limit{5};

// What a rank has entered on its node's board, for its node's report: sizes and names, or why it has no transport.
struct Offer {
  std::size_t inline_bytes = 0;
  std::size_t max_message = 0;
  std::string networks;  // "ofi:tcp,ucx", or "-"
  std::string trouble;

  std::string text() const {
    return trouble.empty() ? fmt::format("has {} {} {}", inline_bytes, max_message, networks)
                           : fmt::format("trouble {}", trouble);
  }
  static Offer parse(const std::string& text) {
    Offer offer;
    std::istringstream words(text);
    std::string kind;
    words >> kind;
    if (kind == "has") {
      words >> offer.inline_bytes >> offer.max_message >> offer.networks;
    } else {
      std::getline(words >> std::ws, offer.trouble);
      if (offer.trouble.empty()) offer.trouble = "it has said nothing of its transports";
    }
    return offer;
  }
};

std::set<std::string> parts(const std::string& list) {
  std::set<std::string> names;
  std::istringstream words(list);
  for (std::string name; std::getline(words, name, ',');) names.insert(name);
  return names;
}

class Meeting {
 public:
  Meeting(Identity identity, std::chrono::milliseconds limit)
      : rank_(identity.rank),
        size_(identity.size),
        store_(std::move(identity.store)),
        limit_(limit),
        wishes_(transports_from_environment()) {}

  Met hold() {
    tell_facts();
    for (round_ = 0;; ++round_) {
      propose();
      enter();
      report();
      if (judge()) break;
      met_.board.reset();
    }
    connect();
    met_.store = store_;
    return std::move(met_);
  }

 private:
  std::string key(std::string_view what) const { return fmt::format("tutti/{}/{}", what, round_); }
  std::string key(std::string_view what, int number) const { return fmt::format("{}/{}", key(what), number); }
  int node() const { return record_.nodes[static_cast<std::size_t>(rank_)]; }
  const NodeFacts& node_facts() const { return record_.facts[static_cast<std::size_t>(node())]; }
  bool is_first() const { return members_.front() == rank_; }

  // Makes what has been put readable.
  void published(std::string_view what) {
    if (!store_->lasts()) store_->fence(key(what), limit_);
  }

  void tell_facts() {
    const Whereabouts place = own_whereabouts(rank_);
    RankFacts own{tutti_version(), host_name(), place.node, place.machine, allowed_cores(), wishes_shm(wishes_),
                  getpid(),        0,           {}};
    if (size_ > 1) {
      met_.control = bind_control_socket();
      control::OwnAddress address = control::own_address(met_.control.number());
      own.port = address.port;
      own.hosts = std::move(address.hosts);
    }
    store_->put(fmt::format("tutti/rank/{}", rank_), own.text());
    store_->fence("tutti/facts", limit_);
    if (rank_ != 0) return;
    for (int rank = 0; rank < size_; ++rank)
      facts_.push_back(RankFacts::parse(store_->get(fmt::format("tutti/rank/{}", rank), limit_), rank));
  }

  // Rank 0's record to all.
  void propose() {
    if (rank_ == 0) {
      std::string text;
      try {
        record_of_rank_0_ = make_record(facts_);
        add_tuning(record_of_rank_0_);
        text = record_of_rank_0_.text();
      } catch (const Error& failure) {
        text = std::string("no ") + failure.what();
      }
      private_ = private_addresses(all_addresses());
      if (record_of_rank_0_.facts.size() > 1) store_->put(key("control"), control_addresses());
      store_->put(key("private"), fmt::format("- {}", fmt::join(private_, " ")));
      store_->put(key("job"), text);
    }
    published("job");
    const std::string text = store_->get(key("job"), limit_);
    if (text.starts_with("no ")) throw Error(TUTTI_ERROR_START, text.substr(3));
    record_ = JobRecord::parse(text, size_);
    members_ = record_.members(node());
  }

  std::vector<std::vector<std::string>> all_addresses() const {
    std::vector<std::vector<std::string>> all;
    for (const RankFacts& facts : facts_) all.push_back(facts.hosts);
    return all;
  }

  // Rank 0's file holds for all: what ranks compute with must not depend on what each of them finds under that name.
  static void add_tuning(JobRecord& record) {
    const auto wanted = environment_text("TUTTI_TUNING");
    if (!wanted) return;
    const TuningWish wish = TuningWish::parse(*wanted);
    const std::string usual = record.networked() ? "shm and a network" : "shm";
    record.tuning = tuning_for_job(wish, environment_text("TUTTI_TRANSPORT").value_or(usual));
    record.tuning_file = wish.path;
  }

  std::string control_addresses() const {
    control::Addresses addresses;
    addresses.secret = fresh_secret();
    addresses.hosts.resize(record_of_rank_0_.facts.size());
    for (std::size_t rank = 0; rank < facts_.size(); ++rank) {
      addresses.ports.push_back(facts_[rank].port);
      addresses.processes.push_back(facts_[rank].process);
      auto& hosts = addresses.hosts[static_cast<std::size_t>(record_of_rank_0_.nodes[rank])];
      if (hosts.empty()) hosts = facts_[rank].hosts;
    }
    // A leader that is looked for at such an address would be whoever looks.
    for (std::vector<std::string>& hosts : addresses.hosts)
      std::stable_partition(hosts.begin(), hosts.end(), [&](const std::string& host) {
        return std::find(private_.begin(), private_.end(), host) == private_.end();
      });
    return addresses.text();
  }

  // The control plane's own: the store may have none, or one that is the caller's.
  static std::string fresh_secret() {
    std::string text;
    for (const char letter : fresh_nonce()) text += fmt::format("{:02x}", static_cast<unsigned char>(letter));
    return text;
  }

  // Opens the node's board, and enters this rank with its transports: who is not there afterwards could not.
  void enter() {
    const std::string board_key = key("board", node());
    if (is_first()) {
      met_.board = Board::create(size_, Sharing::between_processes);
      if (record_.facts.size() > 1) met_.board->leave_text(store_->get(key("control"), limit_));
      store_->put(board_key, met_.board->address());
    }
    published("board");
    if (is_first() || open_board(store_->get(board_key, limit_))) {
      const Offer offer = make_transports();
      if (record_.networked() && offer.trouble.empty()) store_->put(key("address", rank_), router_->address());
      met_.board->enter(rank_, host_name(), shm_ ? shm_->address() : "", offer.text(),
                        router_ ? router_->address() : "");
    }
    store_->fence(key("entered"), limit_);
  }

  bool open_board(const std::string& address) {
    try {
      met_.board = Board::open(address, size_);
      return true;
    } catch (const Error& failure) {
      log(LogLevel::warning, "this rank cannot share memory with rank {}, and counts as on another node: {}",
          members_.front(), failure.what());
      return false;
    }
  }

  Offer make_transports() {
    Offer offer;
    shm_.reset();
    const bool inside = node_facts().shm && (members_.size() > 1 || !record_.networked());
    if (inside) {
      const auto index = std::find(members_.begin(), members_.end(), rank_) - members_.begin();
      shm_ = std::make_unique<ShmTransport>(static_cast<int>(index), static_cast<int>(members_.size()));
    }
    Traits least = shm_ ? shm_->traits() : Traits{};
    if (record_.networked()) {
      try {
        make_router();
      } catch (const Error& failure) {
        offer.trouble = failure.what();
        return offer;
      }
      const Traits network = router_->traits();
      least.inline_bytes = shm_ ? std::min(least.inline_bytes, network.inline_bytes) : network.inline_bytes;
      least.max_message = shm_ ? std::min(least.max_message, network.max_message) : network.max_message;
    }
    offer.inline_bytes = least.inline_bytes;
    offer.max_message = least.max_message;
    offer.networks = router_ ? router_->name() : "-";
    return offer;
  }

  void make_router() {
    if (router_) return;
    std::istringstream text(store_->get(key("private"), limit_));
    const std::vector<std::string> reach_nobody{std::istream_iterator<std::string>(text), {}};
    auto networks = make_networks(wishes_, rank_, size_, interfaces_with(reach_nobody));
    router_ = std::make_unique<Router>(rank_, size_);
    router_->use_networks(std::move(networks));
  }

  // The first rank of each node says who is apart, and what the others have.
  void report() {
    if (is_first()) {
      std::string apart = "apart";
      std::string offers;
      std::set<std::string> seen;
      for (int member : members_) {
        const std::string offer = met_.board->offer(member);
        if (offer.empty()) {
          apart += fmt::format(" {}", member);
        } else if (seen.insert(offer).second) {
          offers += fmt::format("{} {}\n", member, offer);
        }
      }
      store_->put(key("node", node()), apart + "\n" + offers);
    }
    published("node");
  }

  // True if the record holds; then the sizes are those that all ranks cut by.
  bool judge() {
    if (rank_ == 0) store_->put(key("verdict"), verdict());
    published("verdict");
    std::istringstream words(store_->get(key("verdict"), limit_));
    std::string kind;
    words >> kind;
    if (kind == "again") return false;
    if (kind != "go") {
      std::string why;
      std::getline(words >> std::ws, why);
      throw Error(TUTTI_ERROR_START, why);
    }
    words >> agreed_.inline_bytes >> agreed_.max_message;
    return true;
  }

  std::string verdict() {
    bool again = false;
    std::size_t inline_bytes = ~std::size_t{0}, max_message = ~std::size_t{0};
    std::vector<std::pair<int, Offer>> offers;  // of the ranks that are the first to have them
    for (std::size_t node = 0; node < record_.facts.size(); ++node) {
      std::istringstream lines(store_->get(key("node", static_cast<int>(node)), limit_));
      std::string line;
      std::getline(lines, line);
      std::istringstream apart(line.substr(std::min<std::size_t>(5, line.size())));
      for (int rank = 0; apart >> rank;) {
        if (rank < 0 || rank >= size_) continue;
        facts_[static_cast<std::size_t>(rank)].node += fmt::format(" apart {}", rank);
        again = true;
      }
      while (std::getline(lines, line)) {
        const std::size_t blank = std::min(line.find(' '), line.size() - 1);
        offers.emplace_back(std::atoi(line.c_str()), Offer::parse(line.substr(blank + 1)));
      }
    }
    if (again) return "again";
    for (const auto& [rank, offer] : offers) {
      if (!offer.trouble.empty()) return fmt::format("no rank {} on {}: {}", rank, host_of(rank), offer.trouble);
      inline_bytes = std::min(inline_bytes, offer.inline_bytes);
      max_message = std::min(max_message, offer.max_message);
    }
    const std::string apart = record_.networked() ? without_common(offers) : "";
    return apart.empty() ? fmt::format("go {} {}", inline_bytes, max_message) : "no " + apart;
  }

  const std::string& host_of(int rank) const { return facts_[static_cast<std::size_t>(rank)].host; }

  // Two ranks that must reach each other over a network and have none in common; empty where there are none.
  std::string without_common(const std::vector<std::pair<int, Offer>>& offers) const {
    for (const auto& [one, first] : offers) {
      const std::set<std::string> ours = parts(first.networks);
      for (const auto& [other, second] : offers) {
        const auto theirs = parts(second.networks);
        const bool common = std::any_of(ours.begin(), ours.end(), [&](const auto& name) { return theirs.count(name); });
        if (one < other && !common)
          return fmt::format(
              "rank {} on {} and rank {} on {} have no transport in common: rank {} has {}, rank {} has {}; set "
              "TUTTI_TRANSPORT alike on both",
              one, host_of(one), other, host_of(other), one, first.networks, other, second.networks);
      }
    }
    return "";
  }

  void connect() {
    if (shm_)
      shm_->look_up_with([&board = *met_.board, members = members_](int peer) {
        return board.address(members[static_cast<std::size_t>(peer)]);
      });
    if (!record_.networked()) {
      met_.transport = std::move(shm_);
    } else {
      if (shm_) router_->use_inside(std::move(shm_), members_);
      router_->agree({agreed_.inline_bytes, agreed_.max_message, true});
      prepare_lookup();
      met_.transport = std::move(router_);
    }
    if (record_.facts.size() == 1) met_.control.reset();
    met_.nodes = record_.nodes;
    for (const NodeFacts& facts : record_.facts) met_.hosts.push_back(facts.host);
    met_.cores = record_.cores;
    met_.tuning_file = record_.tuning_file;
    met_.tuning = record_.tuning;
    met_.cores_are_enough = !node_facts().crowded;
  }

  void prepare_lookup() {
    if (store_->lasts()) {
      router_->look_up_with([store = store_, prefix = key("address"), limit = limit_, &board = *met_.board](int peer) {
        try {
          return store->get(fmt::format("{}/{}", prefix, peer), limit);
        } catch (const Error&) {
          // Who held the store may have ended; the peer's node knows the address too, unless the peer is dead.
          if (board.fetch(peer, answer_limit) && !board.network_address(peer).empty())
            return board.network_address(peer);
          throw;
        }
      });
      return;
    }
    // The store cannot be asked later, so that all are reached now.
    for (int peer = 0; peer < size_; ++peer) {
      const bool inside = node_facts().shm && record_.nodes[static_cast<std::size_t>(peer)] == node();
      if (peer != rank_ && !inside) router_->connect(peer, store_->get(key("address", peer), limit_));
    }
  }

  int rank_;
  int size_;
  std::shared_ptr<Store> store_;
  std::chrono::milliseconds limit_;
  std::vector<TransportWish> wishes_;
  std::vector<std::string> private_;  // on rank 0: addresses that several hosts bear
  std::vector<RankFacts> facts_;      // on rank 0
  int round_ = 0;
  JobRecord record_;
  JobRecord record_of_rank_0_;
  std::vector<int> members_;  // of this rank's node
  std::unique_ptr<ShmTransport> shm_;
  std::unique_ptr<Router> router_;
  Traits agreed_;
  Met met_;
};

}  // namespace

Met meet(Identity identity, std::chrono::milliseconds limit) { return Meeting(std::move(identity), limit).hold(); }

}  // namespace tutti
