// RouteWriter, Resync, list_interfaces and cleanup_kernel against a real kernel: every result
// belongs to its operation, a dump shows what was written, cleanup leaves nothing.
#include <doctest/doctest.h>

#include <vector>

#include "io/lab.h"
#include "io/resync.h"
#include "io/route_writer.h"
#include "io/runtime.h"

namespace faild {
namespace {

RouteOp route(uint32_t id, uint32_t ifindex) {
  RouteOp op;
  op.id = id;
  op.key.table = kExceptionsTable;
  op.key.destination = Prefix::host(*parse_ip("10.9.0.0"));
  op.key.destination.address.bytes[2] = static_cast<uint8_t>(id >> 8);
  op.key.destination.address.bytes[3] = static_cast<uint8_t>(id);
  op.target.gateway = *parse_ip("10.0.1.2");
  op.target.out_ifindex = ifindex;
  op.priority = id;
  return op;
}

uint32_t ifindex_of(const lab::Namespace& space, std::string_view name) {
  std::vector<InterfaceInfo> all;
  REQUIRE_FALSE(list_interfaces(space.path(), &all));
  for (const InterfaceInfo& info : all) {
    if (info.lan.interface.view() == name) return info.lan.ifindex;
  }
  return 0;
}

}  // namespace

TEST_CASE("a batch of 1000 routes with a bad one in the middle: each result is its own") {
  lab::Namespace a, b;
  lab::connect(a, "eth0", b, "eth0");
  a.run("ip addr add 10.0.1.1/24 dev eth0");
  const uint32_t ifindex = ifindex_of(a, "eth0");
  lab::inside(a, [&] {
    auto writer = std::make_unique<RouteWriter>();
    REQUIRE_FALSE(writer->open());
    std::vector<RouteOp> ops;
    for (uint32_t id = 1; id <= 1000; id++) ops.push_back(route(id, ifindex));
    ops[499].target.out_ifindex = 9999;  // no such device
    std::vector<RouteResult> results(ops.size());
    writer->submit(ops, results);
    for (size_t i = 0; i < results.size(); i++) {
      REQUIRE(results[i].id == ops[i].id);
      REQUIRE((results[i].error != 0) == (i == 499));
    }
    CHECK(writer->last_refusal().id == 500);
    CHECK(writer->last_refusal().op.key == ops[499].key);
    CHECK_FALSE(writer->last_refusal().message.view().empty());

    // A dump during which we wrote is begun again; the next holds everything.
    auto resync = std::make_unique<Resync>(general_heap());
    REQUIRE_FALSE(resync->open(4096));
    resync->want();
    int pieces = 0;
    uint64_t writes = 1000;
    while (!resync->advance(Instant::from_ns(1), writes)) {
      if (++pieces == 2) writes++;
      REQUIRE(pieces < 1000);
    }
    CHECK(pieces > 2);
    CHECK(resync->entries().size() == 999);
  });
  uint32_t removed = 0;
  REQUIRE_FALSE(cleanup_kernel(a.path(), &removed));
  CHECK(removed == 999);
  CHECK(a.output("ip route show table all proto 213").empty());
}

TEST_CASE("cleanup takes neighbours and both families, and nothing of others") {
  lab::Namespace a, b;
  lab::connect(a, "eth0", b, "eth0");
  a.run(
      "ip addr add 10.0.1.1/24 dev eth0; ip rule add to 10.7.0.0/16 lookup 931101 pref 932 "
      "protocol 213");
  a.run(
      "ip -6 rule add to fd07::/64 lookup 931101 pref 932 protocol 213; ip rule add pref 500 "
      "lookup main");
  a.run(
      "ip route add fd08::/64 dev eth0 table 931101 proto 213; ip route add 10.8.0.0/16 dev eth0");
  a.run("ip neigh add 10.0.1.9 lladdr 02:00:00:00:00:09 dev eth0 protocol 213");
  a.run("ip neigh add 10.0.1.8 lladdr 02:00:00:00:00:08 dev eth0");
  uint32_t removed = 0;
  REQUIRE_FALSE(cleanup_kernel(a.path(), &removed));
  CHECK(removed == 4);
  CHECK(a.output("ip neigh").find("10.0.1.9") == std::string::npos);
  CHECK(a.output("ip neigh").find("10.0.1.8") != std::string::npos);
  CHECK(a.output("ip rule").find("500:") != std::string::npos);
  CHECK(a.output("ip route").find("10.8.0.0/16") != std::string::npos);
}

}  // namespace faild
