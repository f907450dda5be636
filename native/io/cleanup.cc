// `faild cleanup`: everything of faild's out of the kernel, whether a daemon runs or not.
//
// Rules first: without them the tables are not asked, so traffic is back on the main table before
// the routes go.
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "io/kernel_dump.h"
#include "io/network_namespace.h"
#include "io/route_writer.h"

namespace faild {
namespace {

constexpr int kRounds = 16;  // a removal that changes a dump under way costs another round

// One neighbour entry of ours as the kernel told it; deleting it takes the same header and
// destination.
struct Neighbour {
  ndmsg header{};
  std::array<uint8_t, 16> address{};
  uint16_t address_size = 0;
};

size_t removals(const std::vector<KernelEntry>& entries, RouteWriter* writer, int* first_error) {
  std::vector<RouteOp> ops;
  for (const KernelEntry& entry : entries) {
    RouteOp op;
    op.kind = RouteOp::Kind::kRemove;
    op.id = static_cast<uint32_t>(ops.size()) + 1;
    op.key = entry.key;
    op.target = entry.target;
    op.priority = entry.priority;
    ops.push_back(op);
  }
  std::vector<RouteResult> results(ops.size());
  writer->submit(ops, results);
  size_t removed = 0;
  for (const RouteResult& result : results) {
    if (result.error == 0) removed++;
    // ESRCH, ENOENT: a device that went took it along, or a daemon was quicker.
    if (result.error != 0 && result.error != ESRCH && result.error != ENOENT && *first_error == 0) {
      *first_error = result.error;
    }
  }
  return removed;
}

// errno; removes until a whole dump shows nothing more.
int remove_kind(DumpKind kind, RouteWriter* writer, NetlinkSocket* dumps, uint32_t* removed) {
  std::array<uint8_t, kDumpBufferBytes> buffer;
  int error = 0;
  for (int i = 0; i < kRounds; i++) {
    std::vector<KernelEntry> entries;
    static constexpr uint32_t kSequence = 7;
    const int dumped = dump_once(*dumps, kind, kSequence, buffer, [&](const NetlinkNotice& notice) {
      if (notice.kind == NetlinkNotice::Kind::kEntry) entries.push_back(notice.entry.entry);
    });
    if (dumped != 0 && dumped != EINTR) return dumped;
    if (entries.empty() && dumped == 0) return 0;
    error = 0;
    const size_t count = removals(entries, writer, &error);
    *removed += static_cast<uint32_t>(count);
    if (error != 0 && count == 0) return error;
  }
  return error;
}

// Ours, if NDA_PROTOCOL says so.
std::optional<Neighbour> read_neighbour(const nlmsghdr* message) {
  if (message->nlmsg_type != RTM_NEWNEIGH || message->nlmsg_len < NLMSG_LENGTH(sizeof(ndmsg))) {
    return std::nullopt;
  }
  Neighbour out;
  std::memcpy(&out.header, NLMSG_DATA(message), sizeof out.header);
  bool ours = false;
  int left = static_cast<int>(message->nlmsg_len - NLMSG_LENGTH(sizeof(ndmsg)));
  const auto* attribute = reinterpret_cast<const rtattr*>(
      static_cast<const uint8_t*>(NLMSG_DATA(message)) + NLMSG_ALIGN(sizeof(ndmsg)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    const auto* value = static_cast<const uint8_t*>(RTA_DATA(attribute));
    const size_t size = RTA_PAYLOAD(attribute);
    if (attribute->rta_type == NDA_PROTOCOL && size == 1) ours = *value == kRouteProtocol;
    if (attribute->rta_type == NDA_DST && size <= out.address.size()) {
      std::memcpy(out.address.data(), value, size);
      out.address_size = static_cast<uint16_t>(size);
    }
  }
  return ours && out.address_size > 0 ? std::optional(out) : std::nullopt;
}

int list_neighbours(NetlinkSocket* dumps, std::vector<Neighbour>* out) {
  struct {
    nlmsghdr header{};
    ndmsg body{};
  } request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETNEIGH;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  std::array<uint8_t, kDumpBufferBytes> buffer;
  if (const int error = dumps->send({reinterpret_cast<const uint8_t*>(&request), sizeof request})) {
    return error;
  }
  while (true) {
    const auto received = dumps->receive(buffer);
    if (received.error != 0) return received.error;
    size_t left = received.bytes.size();
    const auto* message = reinterpret_cast<const nlmsghdr*>(received.bytes.data());
    for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return 0;
      if (message->nlmsg_type == NLMSG_ERROR) {
        return -static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error;
      }
      if (const auto neighbour = read_neighbour(message)) out->push_back(*neighbour);
    }
  }
}

int remove_neighbour(NetlinkSocket* socket, const Neighbour& neighbour) {
  struct {
    nlmsghdr header{};
    ndmsg body{};
    rtattr destination{};
    std::array<uint8_t, 16> address{};
  } request;
  request.body = neighbour.header;
  request.body.ndm_state = 0;
  request.destination.rta_type = NDA_DST;
  request.destination.rta_len = static_cast<uint16_t>(RTA_LENGTH(neighbour.address_size));
  request.address = neighbour.address;
  request.header.nlmsg_len =
      static_cast<uint32_t>(NLMSG_LENGTH(sizeof(ndmsg)) + RTA_LENGTH(neighbour.address_size));
  request.header.nlmsg_type = RTM_DELNEIGH;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  const auto* bytes = reinterpret_cast<const uint8_t*>(&request);
  if (const int error = socket->send({bytes, request.header.nlmsg_len})) return error;
  std::array<uint8_t, 4096> buffer;
  std::span<const uint8_t> answer = socket->receive(buffer).bytes;
  NetlinkNotice notice;
  return next_notice(&answer, &notice) ? notice.error : EIO;
}

int remove_neighbours(uint32_t* removed) {
  NetlinkSocket socket;
  if (const auto error = socket.open(NetlinkUse::kRequests)) return error->error;
  std::vector<Neighbour> neighbours;
  if (const int error = list_neighbours(&socket, &neighbours)) return error;
  int first_error = 0;
  for (const Neighbour& neighbour : neighbours) {
    const int error = remove_neighbour(&socket, neighbour);
    if (error == 0) (*removed)++;
    if (error != 0 && error != ENOENT && first_error == 0) first_error = error;
  }
  return first_error;
}

std::optional<RuntimeError> remove_all(uint32_t* removed) {
  RouteWriter writer;
  NetlinkSocket dumps;
  if (auto error = writer.open()) return error;
  if (auto error = dumps.open(NetlinkUse::kDumps)) return error;
  int first_error = 0;
  for (const DumpKind kind :
       {DumpKind::kRulesV4, DumpKind::kRulesV6, DumpKind::kRoutesV4, DumpKind::kRoutesV6}) {
    const int error = remove_kind(kind, &writer, &dumps, removed);
    if (first_error == 0) first_error = error;
  }
  const int error = remove_neighbours(removed);
  if (first_error == 0) first_error = error;
  if (first_error == 0) return std::nullopt;
  return make_error("ECLEANUP", first_error,
                    "some entries of faild stay in the kernel: see `ip rule`, `ip route show table "
                    "all proto 213`");
}

}  // namespace

std::optional<RuntimeError> cleanup_kernel(const std::string& network_namespace,
                                           uint32_t* removed) {
  *removed = 0;
  return in_namespace(network_namespace, [&] { return remove_all(removed); });
}

}  // namespace faild
