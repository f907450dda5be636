#include "route_watch.h"

#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "netns.h"
#include "threads.h"

namespace faild::bench {
namespace {

constexpr size_t kRoomForMoves = 1 << 16;
constexpr uint32_t kGroups = group_bit(RTNLGRP_IPV4_ROUTE) | group_bit(RTNLGRP_IPV6_ROUTE) |
                             group_bit(RTNLGRP_IPV4_RULE) | group_bit(RTNLGRP_IPV6_RULE) |
                             group_bit(RTNLGRP_LINK);

}  // namespace

Failure RouteWatch::start(const std::string& network_namespace, const std::string& watched) {
  const auto address = parse_address(watched);
  if (!address) return "not an address: " + watched;
  watched_ = *address;
  const NamespaceVisit visit(network_namespace);
  if (visit.failure()) return visit.failure();
  if (Failure failure = events_.open(kGroups)) return failure;
  if (Failure failure = questions_.open(0)) return failure;
  moves_.reserve(kRoomForMoves);
  out_ = questions_.look_up(watched_);
  moves_.push_back({now(), out_});
  std::thread(&RouteWatch::run, this).detach();
  return std::nullopt;
}

void RouteWatch::run() {
  set_up_thread("route-watch", kWatchPriority);
  alignas(nlmsghdr) std::array<char, 16384> buffer;
  while (true) {
    const ssize_t size = recv(events_.fd(), buffer.data(), buffer.size(), 0);
    const Nanoseconds at = now();
    note(at, size < 0);
    if (size > 0) {
      note_carriers(at, reinterpret_cast<const nlmsghdr*>(buffer.data()),
                    static_cast<size_t>(size));
    }
  }
}

void RouteWatch::note_carriers(Nanoseconds at, const nlmsghdr* header, size_t size) {
  const std::lock_guard lock(mutex_);
  for (; NLMSG_OK(header, size); header = NLMSG_NEXT(header, size)) {
    if (header->nlmsg_type != RTM_NEWLINK || carriers_.size() == kRoomForMoves) continue;
    const auto* link = static_cast<const ifinfomsg*>(NLMSG_DATA(header));
    carriers_.push_back(
        {at, static_cast<OutInterface>(link->ifi_index), (link->ifi_flags & IFF_LOWER_UP) != 0});
  }
}

void RouteWatch::note(Nanoseconds at, bool overrun) {
  const OutInterface out = questions_.look_up(watched_);
  const std::lock_guard lock(mutex_);
  notices_++;
  if (overrun) overruns_++;
  if (out == out_ || moves_.size() == kRoomForMoves) return;
  out_ = out;
  moves_.push_back({at, out});
}

int64_t RouteWatch::moves() {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(moves_.size()) - 1;  // the first is where it stood
}

void RouteWatch::report(Json& json) {
  const std::lock_guard lock(mutex_);
  json.open('{').field("notices", notices_).field("overruns", overruns_).key("moves").open('[');
  for (const Move& move : moves_) json.row({move.at, move.out});
  json.close(']').key("carriers").open('[');
  for (const Carrier& c : carriers_) json.row({c.at, c.interface, c.present ? 1 : 0});
  json.close(']').close('}');
  carriers_.clear();
  moves_.clear();
  moves_.push_back({now(), out_});
  notices_ = overruns_ = 0;
}

}  // namespace faild::bench
