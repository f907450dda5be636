#include "io/lan_set.h"

#include <algorithm>
#include <span>
#include <utility>

namespace faild {
namespace {

void add_up(const TransportCounters& part, TransportCounters* sum) {
  sum->send_errors += part.send_errors;
  if (part.last_send_error != 0) sum->last_send_error = part.last_send_error;
  for (size_t i = 0; i < kFrameErrors; i++) sum->frame_errors[i] += part.frame_errors[i];
  sum->own_packets += part.own_packets;
}

bool same_addresses(const LanConfig& a, const LanConfig& b) {
  return std::equal(a.addresses.begin(), a.addresses.end(), b.addresses.begin(),
                    b.addresses.end()) &&
         std::equal(a.former.begin(), a.former.end(), b.former.begin(), b.former.end());
}

// What the interface had of this family, when it has nothing of it any more.
void keep_former(const LanConfig& before, Family family, LanConfig* lan) {
  const auto counts = [&](const Prefix& one) {
    return one.address.family == family && !one.address.is_link_local();
  };
  const bool here = lan->ifindex != 0;
  if (here && std::any_of(lan->addresses.begin(), lan->addresses.end(), counts)) return;
  const bool had = std::any_of(before.addresses.begin(), before.addresses.end(), counts);
  for (const Prefix& one : had ? before.addresses : before.former) {
    if (counts(one)) (void)lan->former.push(one);
  }
}

bool is_named(const LanSet::Lan& lan, const InterfaceName& name) {
  return lan.config.interface == name || lan.configured == name;
}

std::string interface_of(const LanConfig& lan) { return std::string(lan.interface.view()); }

// Every interface must be there. An address may come later, to all but one of them: a host that is
// booted while a LAN and its DHCP server are dead needs faild more than ever.
std::optional<RuntimeError> check(std::span<const LanConfig> lans) {
  for (const LanConfig& lan : lans) {
    if (lan.ifindex != 0) continue;
    return make_error("ENOLAN", ENODEV,
                      "interface '" + interface_of(lan) + "' does not exist: see `ip link`");
  }
  for (const LanConfig& lan : lans) {
    if (probe_family(lan) != Family::kNone) return std::nullopt;
  }
  const std::string name = interface_of(lans.front());
  return make_error("ENOADDRESS", 0,
                    "interface '" + name +
                        "' has no usable address, nor has any other: give it one (`ip addr add "
                        "ADDRESS/LENGTH dev " +
                        name + "`)");
}

}  // namespace

std::optional<RuntimeError> LanSet::open(RuntimeConfig* config) {
  port_ = config->port;
  everybody_ = config->everybody;
  bells_ = config->engine.requestor;  // a responder answers every INQ
  count_ = config->engine.lans.size();
  for (size_t i = 0; i < count_; i++) {
    lans_[i].config = config->engine.lans[i];
    lans_[i].config.ifindex = 0;  // found by its name
    lans_[i].configured = lans_[i].config.interface;
  }
  if (auto error = dumps_.open(NetlinkUse::kDumps)) return error;
  Configs seen;
  if (!read_interfaces(&seen)) {
    return make_error("ESYSTEM", EIO, "asking the kernel for its interfaces failed");
  }
  if (auto error = check(std::span(seen).first(count_))) return error;
  for (size_t i = 0; i < count_; i++) lans_[i].config = seen[i];
  transport_ = config->transport == Transport::kUdp ? Transport::kUdp : Transport::kRaw;
  auto error = open_all(config->port);
  if (error && error->code == "EPERM_NET_RAW" && config->transport == Transport::kAutomatic) {
    transport_ = Transport::kUdp;
    error = open_all(config->port);
  }
  if (error) return error;
  if (transport_ == Transport::kUdp) config->engine.udp_port = port_;
  for (size_t i = 0; i < count_; i++) config->engine.lans[i] = lans_[i].config;
  return std::nullopt;
}

std::optional<RuntimeError> LanSet::open_all(uint16_t port) {
  if (transport_ == Transport::kRaw) {
    if (auto error = port_holder_.open(port)) return error;
  } else {
    port_holder_ = PortHolder();
  }
  for (size_t i = 0; i < count_; i++) {
    RuntimeError error;
    const auto open_socket = transport_ == Transport::kRaw ? open_raw_socket : open_udp_socket;
    lans_[i].socket = open_socket(lans_[i].config, port, bells_, memory_, &error, everybody_);
    if (!lans_[i].socket) return error;
  }
  return std::nullopt;
}

std::optional<size_t> LanSet::find(uint32_t ifindex, const InterfaceName& name) const {
  if (const auto owner = owner_of(ifindex)) return owner;
  for (size_t i = 0; i < count_; i++) {
    if (is_named(lans_[i], name)) return i;
  }
  return std::nullopt;
}

std::optional<size_t> LanSet::owner_of(uint32_t ifindex) const {
  for (size_t i = 0; i < count_; i++) {
    if (lans_[i].config.ifindex == ifindex) return i;
  }
  return std::nullopt;
}

// By its index, whatever it is called now; when that is gone, by a name, unless it is another LAN
// that is called so now. An interface that the kernel does not list has index 0 and no addresses.
bool LanSet::read_interfaces(Configs* seen) {
  const auto take_link = [&](const NetlinkNotice& notice) {
    if (notice.kind != NetlinkNotice::Kind::kLink) return;
    const auto owner = owner_of(notice.link.ifindex);
    for (size_t i = 0; i < count_; i++) {
      LanConfig& lan = (*seen)[i];
      const bool free_namesake = !owner && lan.ifindex == 0 && is_named(lans_[i], notice.link.name);
      if (owner != i && !free_namesake) continue;
      lan.interface = notice.link.name;
      lan.ifindex = notice.link.ifindex;
      lan.mac = notice.link.mac;
      lan.carrier = notice.link.admin_up && notice.link.carrier;
    }
  };
  const auto take_address = [&](const NetlinkNotice& notice) {
    if (notice.kind != NetlinkNotice::Kind::kAddress || !notice.address.usable) return;
    for (size_t i = 0; i < count_; i++) {
      LanConfig& lan = (*seen)[i];
      if (lan.ifindex == notice.address.ifindex) add_address(lan, notice.address.address);
    }
  };
  for (int attempt = 0; attempt < kDumpTries; attempt++) {
    for (size_t i = 0; i < count_; i++) {
      (*seen)[i] = LanConfig();
      (*seen)[i].name = lans_[i].config.name;
      (*seen)[i].interface = lans_[i].config.interface;
      (*seen)[i].carrier = false;
    }
    if (dump_once(dumps_, DumpKind::kLinks, ++sequence_, buffer_, take_link) == 0 &&
        dump_once(dumps_, DumpKind::kAddresses, ++sequence_, buffer_, take_address) == 0) {
      return true;
    }
  }
  return false;
}

LanSet::Changes LanSet::refresh() {
  Changes changes;
  Configs seen;
  if (!read_interfaces(&seen)) return changes;  // the next news asks again
  for (size_t i = 0; i < count_; i++) {
    Lan& lan = lans_[i];
    const uint32_t bit = 1U << i;
    const LanConfig before = lan.config;
    // An interface that is away keeps its last addresses: peers still know us by them, and it may
    // come back.
    if (seen[i].ifindex == 0) {
      seen[i] = before;
      seen[i].ifindex = 0;
      seen[i].carrier = false;
      seen[i].former.clear();
    }
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      keep_former(before, family, &seen[i]);
    }
    lan.config = seen[i];
    if (before.carrier != lan.config.carrier) changes.carrier |= bit;
    const bool removed = std::exchange(lan.removed, false);
    const bool moved = removed || before.ifindex != lan.config.ifindex;
    const bool changed = before.mac != lan.config.mac || !same_addresses(before, lan.config) ||
                         !(before.interface == lan.config.interface);
    if (moved || changed) changes.interface |= bit;
    if (moved || probe_family(before) != probe_family(lan.config) ||
        (!lan.socket && lan.config.ifindex != 0)) {
      reopen(lan);
      changes.socket |= bit;
    } else if (changed && lan.socket) {
      lan.socket->set_lan(lan.config);
    }
  }
  return changes;
}

void LanSet::reopen(Lan& lan) {
  if (lan.socket) add_up(lan.socket->counters(), &lan.closed);
  lan.socket.reset();
  if (lan.config.ifindex == 0 || probe_family(lan.config) == Family::kNone) return;
  RuntimeError ignored;  // the interface may be gone again: its next news tries anew
  const auto open_socket = transport_ == Transport::kRaw ? open_raw_socket : open_udp_socket;
  lan.socket = open_socket(lan.config, port_, bells_, memory_, &ignored, everybody_);
}

bool LanSet::has_bells() const {
  for (size_t i = 0; i < count_; i++) {
    if (lans_[i].socket && lans_[i].socket->bell_fd() < 0) return false;
  }
  return bells_;
}

TransportCounters LanSet::counters() const {
  TransportCounters sum;
  for (size_t i = 0; i < count_; i++) {
    add_up(lans_[i].closed, &sum);
    if (lans_[i].socket) add_up(lans_[i].socket->counters(), &sum);
  }
  return sum;
}

}  // namespace faild
