#include "route_probe.h"

#include <net/if.h>

#include "clock.h"
#include "netlink.h"
#include "netns.h"

namespace faild::bench {

Failure probe_routes(const std::string& network_namespace, const std::string& destination,
                     const std::string& interface, int count, Json& json) {
  const auto address = parse_address(destination);
  if (!address) return "not an address: " + destination;
  const NamespaceVisit visit(network_namespace);
  if (visit.failure()) return visit.failure();
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) return errno_sentence("no interface " + interface + " in " + network_namespace);
  Netlink netlink;
  if (const Failure failure = netlink.open(0)) return failure;
  json.key("changes").open('[');
  for (int i = 0; i < 2 * count; i++) {
    sleep_until(now() + 2 * kMillisecond);
    const Nanoseconds asked = now();
    const int error = netlink.change_route(*address, index, i % 2 == 0);
    const Nanoseconds acknowledged = now();
    if (error != 0) return errno_sentence("cannot change the route to " + destination, error);
    json.row({asked, acknowledged});
  }
  json.close(']');
  return std::nullopt;
}

}  // namespace faild::bench
