// What interfaces there are: for zero configuration, before an engine runs.
#include <algorithm>

#include "io/kernel_dump.h"
#include "io/network_namespace.h"

namespace faild {
namespace {

void add_link(const LinkNotice& link, std::vector<InterfaceInfo>* out) {
  InterfaceInfo info;
  info.lan.interface = link.name;
  info.lan.ifindex = link.ifindex;
  info.lan.mac = link.mac;
  info.lan.carrier = link.admin_up && link.carrier;
  info.mtu = link.mtu;
  info.admin_up = link.admin_up;
  info.broadcast = link.broadcast;
  info.loopback = link.loopback;
  info.kind = std::string(link.kind.view());
  out->push_back(std::move(info));
}

void add_address(const AddressNotice& address, std::vector<InterfaceInfo>* out) {
  if (!address.usable) return;
  for (InterfaceInfo& info : *out) {
    // Beyond the ceiling the first ones stand: the kernel lists primary addresses first.
    if (info.lan.ifindex == address.ifindex) add_address(info.lan, address.address);
  }
}

int read_all(NetlinkSocket& socket, std::vector<InterfaceInfo>* out) {
  std::array<uint8_t, kDumpBufferBytes> buffer;
  out->clear();
  if (const int error =
          dump_once(socket, DumpKind::kLinks, 1, buffer, [&](const NetlinkNotice& notice) {
            if (notice.kind != NetlinkNotice::Kind::kLink) return;
            add_link(notice.link, out);
          })) {
    return error;
  }
  return dump_once(socket, DumpKind::kAddresses, 2, buffer, [&](const NetlinkNotice& notice) {
    if (notice.kind == NetlinkNotice::Kind::kAddress) add_address(notice.address, out);
  });
}

}  // namespace

std::optional<RuntimeError> list_interfaces(const std::string& network_namespace,
                                            std::vector<InterfaceInfo>* out) {
  return in_namespace(network_namespace, [&]() -> std::optional<RuntimeError> {
    NetlinkSocket socket;
    if (auto error = socket.open(NetlinkUse::kDumps)) return error;
    int error = EINTR;
    for (int i = 0; i < kDumpTries && error == EINTR; i++) error = read_all(socket, out);
    if (error == 0) return std::nullopt;
    return make_error("ESYSTEM", error, "listing the interfaces failed");
  });
}

}  // namespace faild
