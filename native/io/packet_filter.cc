#include "io/packet_filter.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "wire/heartbeat.h"

namespace faild {
namespace {

// Where docs/wire.md puts what the program below reads; a test holds both to the encoder.
constexpr uint32_t kPayloadAt = ETH_HLEN + 8;  // and the IP header, whose length is in X
constexpr uint32_t kTypeAt = kPayloadAt + 5, kFlagsAt = kPayloadAt + 6;
constexpr uint32_t kMissingCountAt = kPayloadAt + 45;
constexpr uint32_t kSolicit = 1 << 1, kHearsYou = 1 << 3, kUrgent = 1 << 5;

// BPF jumps are relative; the program names its targets by their line.
constexpr uint8_t jump(int from, int to) { return static_cast<uint8_t>(to - from - 1); }
constexpr uint32_t ancillary(int what) { return static_cast<uint32_t>(SKF_AD_OFF + what); }
constexpr sock_filter load(uint16_t how, uint32_t where) {
  return BPF_STMT(static_cast<uint16_t>(BPF_LD | how), where);
}
constexpr sock_filter test(uint16_t how, uint32_t value, uint8_t yes, uint8_t no) {
  return BPF_JUMP(static_cast<uint16_t>(BPF_JMP | how | BPF_K), value, yes, no);
}

}  // namespace

int attach_packet_filter(int fd, uint16_t port, Take take) {
  constexpr int kVlan = 4, kType = 7, kIpv6 = 15, kUdp = 18, kNews = 20, kInq = 25;
  constexpr int kKeep = 29, kDrop = 30;
  const int ours = take == Take::kNews ? kNews : kKeep;
  const uint32_t bytes = take == Take::kNews ? 1 : kMaxFrameBytes;
  constexpr auto kTypeInq = static_cast<uint32_t>(MessageType::kInq);
  constexpr auto kTypeAck = static_cast<uint32_t>(MessageType::kAck);
  sock_filter code[] = {
      /* 0*/ load(BPF_B | BPF_ABS, ancillary(SKF_AD_PKTTYPE)),
      /* 1*/ test(BPF_JGE, PACKET_OTHERHOST, jump(1, kDrop), 0),
      // Frames of a VLAN on this interface pass here with their tag taken off: they are another
      // LAN's.
      /* 2*/ load(BPF_B | BPF_ABS, ancillary(SKF_AD_VLAN_TAG_PRESENT)),
      /* 3*/ test(BPF_JEQ, 0, jump(3, kType), jump(3, kVlan)),
      /* 4*/ load(BPF_H | BPF_ABS, ancillary(SKF_AD_VLAN_TAG)),
      /* 5*/ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x0fff),  // tag 0 is a priority without a VLAN
      /* 6*/ test(BPF_JEQ, 0, 0, jump(6, kDrop)),
      /* 7*/ load(BPF_H | BPF_ABS, 12),
      /* 8*/ test(BPF_JEQ, ETH_P_IPV6, jump(8, kIpv6), 0),
      /* 9*/ test(BPF_JEQ, ETH_P_IP, 0, jump(9, kDrop)),
      /*10*/ load(BPF_B | BPF_ABS, ETH_HLEN + 9),  // IPv4: protocol
      /*11*/ test(BPF_JEQ, IPPROTO_UDP, 0, jump(11, kDrop)),
      /*12*/ load(BPF_H | BPF_ABS, ETH_HLEN + 6),            // fragment offset, more-fragments flag
      /*13*/ BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, ETH_HLEN),  // X: length of the IPv4 header
      /*14*/ test(BPF_JSET, 0x3fff, jump(14, kDrop), jump(14, kUdp)),
      /*15*/ load(BPF_B | BPF_ABS, ETH_HLEN + 6),  // IPv6: next header
      /*16*/ test(BPF_JEQ, IPPROTO_UDP, 0, jump(16, kDrop)),
      /*17*/ BPF_STMT(BPF_LDX | BPF_IMM, 40),
      /*18*/ load(BPF_H | BPF_IND, ETH_HLEN + 2),  // UDP: destination port
      /*19*/ test(BPF_JEQ, port, jump(19, ours), jump(19, kDrop)),
      // News: a goodbye, whatever was asked for or is urgent, missing hosts, "I do not hear you".
      /*20*/ load(BPF_B | BPF_IND, kTypeAt),
      /*21*/ test(BPF_JEQ, kTypeInq, jump(21, kInq), 0),
      /*22*/ test(BPF_JEQ, kTypeAck, 0, jump(22, kKeep)),
      /*23*/ load(BPF_H | BPF_IND, kFlagsAt),
      /*24*/ test(BPF_JSET, kHearsYou, 0, jump(24, kKeep)),
      /*25*/ load(BPF_H | BPF_IND, kFlagsAt),
      /*26*/ test(BPF_JSET, kSolicit | kUrgent, jump(26, kKeep), 0),
      /*27*/ load(BPF_B | BPF_IND, kMissingCountAt),
      /*28*/ test(BPF_JEQ, 0, jump(28, kDrop), 0),
      /*29*/ BPF_STMT(BPF_RET | BPF_K, bytes),
      /*30*/ BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program{sizeof code / sizeof code[0], code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

}  // namespace faild
