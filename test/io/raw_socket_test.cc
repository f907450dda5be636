// The raw LAN socket on a real interface: what its filter lets in, when its bell rings, and when it
// says that a packet arrived. A stranger on the far end of the cable sends frames of its own
// making.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>
#include <vector>

#include "io/lab.h"
#include "io/lan_socket.h"
#include "wire/frame.h"
#include "wire/heartbeat.h"

namespace faild {
namespace {

constexpr uint16_t kPort = 9311;
using Frame = std::vector<uint8_t>;

Heartbeat inquiry() {
  Heartbeat beat;
  beat.requestor = true;
  beat.host = HostId{7};
  beat.incarnation = Incarnation{1};
  beat.interval = Duration::ms(1);
  LanAdvert lan;
  REQUIRE(lan.addresses.push(Prefix{*parse_ip("10.0.1.2"), 24}));
  REQUIRE(beat.lans.push(lan));
  return beat;
}

Frame frame_of(const Heartbeat& beat, bool v6 = false) {
  FrameAddresses addresses;
  addresses.from_mac = {{2, 0, 0, 0, 0, 2}};
  addresses.to_mac = kBroadcastMac;
  addresses.from = *parse_ip(v6 ? "fe80::2" : "10.0.1.2");
  addresses.to = v6 ? heartbeat_group_v6() : limited_broadcast_v4();
  addresses.port = kPort;
  std::array<uint8_t, kMaxHeartbeatBytes> payload;
  Frame frame(kMaxFrameBytes);
  const size_t size = encode(beat, payload);
  frame.resize(build_frame(addresses, std::span(payload).first(size), frame));
  return frame;
}

// host `space`: eth0 ---- eth0 : stranger
struct Cable {
  lab::Namespace space, stranger;
  Owned<LanSocket> socket;
  UniqueFd sender;

  Cable() {
    lab::connect(space, "eth0", stranger, "eth0");
    space.run("ip addr add 10.0.1.1/24 dev eth0");
    std::vector<InterfaceInfo> all;
    REQUIRE_FALSE(list_interfaces(space.path(), &all));
    lab::inside(space, [&] {
      RuntimeError error;
      for (const InterfaceInfo& info : all) {
        if (info.lan.interface.view() == "eth0")
          socket = open_raw_socket(info.lan, kPort, true, general_heap(), &error);
      }
    });
    REQUIRE(socket);
    lab::inside(stranger, [&] {
      sender = UniqueFd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
      sockaddr_ll where{};
      where.sll_family = AF_PACKET;
      where.sll_ifindex = static_cast<int>(if_nametoindex("eth0"));
      REQUIRE(bind(sender.get(), reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
    });
  }

  void send(const Frame& frame) {
    REQUIRE(::send(sender.get(), frame.data(), frame.size(), 0) ==
            static_cast<ssize_t>(frame.size()));
  }
  // Sequences of the heartbeats that came, up to one of sequence 99 that is sent behind them.
  std::vector<uint32_t> receive_all() {
    Heartbeat last = inquiry();
    last.sequence = 99;
    send(frame_of(last));
    std::vector<uint32_t> out;
    while (out.empty() || out.back() != 99) {
      pollfd wait{socket->fd(), POLLIN, 0};
      REQUIRE(poll(&wait, 1, 2000) == 1);
      PacketIn packet;
      while (socket->receive(read_clocks(), &packet)) {
        Heartbeat beat;
        REQUIRE_FALSE(decode(packet.payload, &beat));
        out.push_back(beat.sequence);
      }
    }
    return out;
  }
  bool rings() {
    pollfd bell{socket->bell_fd(), POLLIN, 0};
    const bool rang = poll(&bell, 1, 0) == 1;
    socket->silence_bell();
    return rang;
  }
};

void add_vlan(Frame& frame, uint8_t id) {
  const uint8_t tag[] = {0x81, 0x00, 0x00, id};
  frame.insert(frame.begin() + 12, tag, tag + sizeof tag);
}

}  // namespace

TEST_CASE("only heartbeats for this host on this LAN come in") {
  Cable cable;
  const std::vector<std::function<void(Frame&)>> foreign = {
      [](Frame& f) { f[ETH_HLEN + 20 + 3]++; },      // UDP destination port
      [](Frame& f) { f[ETH_HLEN + 6] = 0x20; },      // more fragments
      [](Frame& f) { f[ETH_HLEN + 7] = 8; },         // a later fragment
      [](Frame& f) { f[ETH_HLEN + 9] = 6; },         // TCP
      [](Frame& f) { f[0] = 2, f[5] = 0x77; },       // another host's unicast
      [](Frame& f) { f[12] = 0x88, f[13] = 0xcc; },  // LLDP
      [](Frame& f) { add_vlan(f, 5); },              // another LAN's
      [](Frame& f) { f.resize(ETH_HLEN + 6); },      // a stump
      [](Frame& f) { f[ETH_HLEN + 10] ^= 0xff; },    // header checksum
  };
  for (const auto& spoil : foreign) {
    Frame frame = frame_of(inquiry());
    spoil(frame);
    cable.send(frame);
  }
  Heartbeat good = inquiry();
  good.sequence = 1;
  cable.send(frame_of(good));
  good.sequence = 2;
  Frame tagged = frame_of(good);
  add_vlan(tagged, 0);  // a priority, no VLAN
  cable.send(tagged);
  good.sequence = 3;
  cable.send(frame_of(good, true));
  CHECK(cable.receive_all() == std::vector<uint32_t>{1, 2, 3, 99});
}

TEST_CASE("the bell rings for news and for nothing else") {
  Cable cable;
  struct Case {
    const char* what;
    bool rings;
    std::function<void(Heartbeat&)> change;
  };
  const std::vector<Case> cases = {
      {"a regular inquiry", false, [](Heartbeat&) {}},
      {"a missing host", true, [](Heartbeat& b) { REQUIRE(b.missing.push(HostId{9})); }},
      {"a solicit", true, [](Heartbeat& b) { b.solicit = true; }},
      {"an urgent inquiry", true, [](Heartbeat& b) { b.urgent = true; }},
      {"a goodbye", true, [](Heartbeat& b) { b.type = MessageType::kBye; }},
      {"an ACK", false,
       [](Heartbeat& b) {
         b.type = MessageType::kAck;
         b.hears_you = true;
       }},
      {"an ACK that does not hear us", true, [](Heartbeat& b) { b.type = MessageType::kAck; }},
      {"an ACK that was solicited", true,
       [](Heartbeat& b) {
         b.type = MessageType::kAck;
         b.hears_you = b.solicit = true;
       }},
  };
  for (const bool v6 : {false, true}) {
    for (const Case& each : cases) {
      Heartbeat beat = inquiry();
      each.change(beat);
      cable.send(frame_of(beat, v6));
      CHECK(cable.receive_all().size() == 2);
      CHECK_MESSAGE(cable.rings() == each.rings, each.what);
    }
  }
}

TEST_CASE("arrivals lie in the past and follow each other") {
  Cable cable;
  const Instant before = monotonic_now();
  PacketIn packet;
  CHECK_FALSE(cable.socket->receive(read_clocks(), &packet));  // empty until now
  for (int i = 0; i < 100; i++) cable.send(frame_of(inquiry()));
  const Instant after = monotonic_now();
  Instant last = before;
  int count = 0;
  for (pollfd wait{cable.socket->fd(), POLLIN, 0}; count < 100 && poll(&wait, 1, 2000) == 1;) {
    const ClockReading reading = read_clocks();
    while (cable.socket->receive(reading, &packet)) {
      count++;
      CHECK(packet.arrived <= reading.now);
      // A reading of two clocks is good to some microseconds.
      CHECK(packet.arrived >= last - Duration::us(10));
      CHECK(packet.arrived <= after + Duration::ms(1));
      last = packet.arrived;
    }
  }
  CHECK(count == 100);
}

TEST_CASE("what lies ready can be glanced at, and nothing behind it") {
  Cable cable;
  for (uint64_t id = 11; id <= 13; id++) {
    Heartbeat beat = inquiry();
    beat.host = HostId{id};
    cable.send(frame_of(beat, id == 13));
  }
  PacketIn packet;
  pollfd wait{cable.socket->fd(), POLLIN, 0};
  REQUIRE(poll(&wait, 1, 2000) == 1);
  REQUIRE(cable.socket->receive(read_clocks(), &packet));
  const Instant patience = monotonic_now() + Duration::seconds(2);
  while (cable.socket->glance(2).empty() && monotonic_now() < patience) continue;
  CHECK(glance_at_host(packet.payload) == HostId{11});
  CHECK(glance_at_host(cable.socket->glance(1)) == HostId{12});
  CHECK(glance_at_host(cable.socket->glance(2)) == HostId{13});
  CHECK(cable.socket->glance(3).empty());
  REQUIRE(cable.socket->receive(read_clocks(), &packet));
  CHECK(glance_at_host(packet.payload) == HostId{12});
  CHECK(glance_at_host(cable.socket->glance(1)) == HostId{13});
}

// The kernel may hand over the last frames only while we read; what it keeps back is less than a
// thousand (net.core.netdev_max_backlog).
TEST_CASE("what the kernel dropped is reported once") {
  Cable cable;
  constexpr uint32_t kPlaces = 2048, kSent = 5000;
  const Frame frame = frame_of(inquiry());
  for (uint32_t i = 0; i < kSent; i++) cable.send(frame);
  PacketIn packet;
  uint32_t read = 0, dropped = 0;
  while (cable.socket->receive(read_clocks(), &packet)) read++;
  dropped = cable.socket->take_drops();
  // The news of a drop comes with a later packet.
  read += static_cast<uint32_t>(cable.receive_all().size() - 1);
  dropped += cable.socket->take_drops();
  CHECK(read >= kPlaces);
  CHECK(dropped > 0);
  CHECK(read + dropped == kSent);
  CHECK(cable.socket->take_drops() == 0);
}

}  // namespace faild
