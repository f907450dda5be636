#include "tcp_flows.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "netns.h"
#include "threads.h"

namespace faild::bench {
namespace {

constexpr Nanoseconds kRest = 5 * kMillisecond;
constexpr Nanoseconds kLongDialogue = 1 * kMillisecond;  // a round trip takes 0.1 ms
constexpr Nanoseconds kLongBulk = 3 * kMillisecond;      // the kernel paces in bursts of about 1 ms
constexpr size_t kMessageBytes = 64;
constexpr size_t kChunkBytes = 16384;
constexpr size_t kRoomForSpans = 1 << 14;

sockaddr_in endpoint(const std::string& address, uint16_t port) {
  sockaddr_in end{};
  end.sin_family = AF_INET;
  end.sin_port = htons(port);
  inet_pton(AF_INET, address.c_str(), &end.sin_addr);
  return end;
}

// A TCP socket in `end`'s namespace, bound to its address; -1 on failure.
int bound_socket(const TcpEnd& end, uint16_t port, Failure* failure) {
  const NamespaceVisit visit(end.network_namespace);
  *failure = visit.failure();
  if (*failure) return -1;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  const sockaddr_in self = endpoint(end.address, port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&self), sizeof self) == 0) return fd;
  *failure = errno_sentence("cannot bind TCP to " + end.address);
  close(fd);
  return -1;
}

bool send_all(int fd, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

bool receive_message(int fd, std::array<char, kMessageBytes>* message) {
  return recv(fd, message->data(), message->size(), MSG_WAITALL) ==
         static_cast<ssize_t>(message->size());
}

}  // namespace

Waits::Waits(Nanoseconds shortest) : shortest_(shortest) { spans_.reserve(kRoomForSpans); }

void Waits::begin(Nanoseconds at) {
  const std::lock_guard lock(mutex_);
  since_ = at;
}

void Waits::end(Nanoseconds at) {
  const std::lock_guard lock(mutex_);
  if (since_ == 0) return;
  durations_.add(at - since_);
  if (at - since_ >= shortest_ && spans_.size() < kRoomForSpans) spans_.push_back({since_, at});
  since_ = 0;
}

void Waits::forget() {
  const std::lock_guard lock(mutex_);
  since_ = 0;
}

void Waits::report(Json& json) {
  const std::lock_guard lock(mutex_);
  json.open('{').field("since", since_).key("waits").open('[');
  for (const Span& span : spans_) json.row({span.from, span.to});
  json.close(']').key("durations");
  durations_.report(json);
  json.close('}');
  spans_.clear();
}

Failure TcpFlows::add(std::unique_ptr<Flow> flow, const TcpEnd& near, const TcpEnd& far,
                      uint16_t port) {
  Failure failure;
  const int listener = bound_socket(far, port, &failure);
  if (failure) return failure;
  flow->near = bound_socket(near, 0, &failure);
  if (failure) return failure;
  const sockaddr_in there = endpoint(far.address, port);
  if (listen(listener, 1) != 0 ||
      connect(flow->near, reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) {
    return errno_sentence("cannot connect to " + far.address);
  }
  flow->far = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  close(listener);
  const int yes = 1;
  setsockopt(flow->far, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  flows_.push_back(std::move(flow));
  return std::nullopt;
}

Failure TcpFlows::add_dialogue(const std::string& name, const TcpEnd& client, const TcpEnd& server,
                               uint16_t port, Nanoseconds period) {
  auto flow = std::make_unique<Flow>(kLongDialogue);
  Flow* const kept = flow.get();
  flow->name = name;
  flow->period = period;
  if (Failure failure = add(std::move(flow), client, server, port)) return failure;
  std::thread(&TcpFlows::answer, kept).detach();
  std::thread(&TcpFlows::ask, this, kept).detach();
  return std::nullopt;
}

Failure TcpFlows::add_bulk(const std::string& name, const TcpEnd& from, const TcpEnd& to,
                           uint16_t port, uint32_t bytes_per_second) {
  auto flow = std::make_unique<Flow>(kLongBulk);
  Flow* const kept = flow.get();
  flow->name = name;
  if (Failure failure = add(std::move(flow), from, to, port)) return failure;
  setsockopt(kept->near, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_second,
             sizeof bytes_per_second);
  std::thread(&TcpFlows::drink, kept).detach();
  std::thread(&TcpFlows::pour, this, kept).detach();
  return std::nullopt;
}

void TcpFlows::set_active(bool active) {
  active_ = active;
  for (const auto& flow : flows_) flow->waits.forget();
}

void TcpFlows::rest_while_inactive() const {
  while (!active_) sleep_until(now() + kRest);
}

void TcpFlows::ask(Flow* flow) {
  set_up_thread("tcp-ask", kSendPriority);
  std::array<char, kMessageBytes> message{};
  Nanoseconds due = 0;
  do {
    rest_while_inactive();
    due = std::max(due + flow->period, now());
    sleep_until(due);
    flow->waits.begin(now());
    if (!send_all(flow->near, message.data(), message.size())) return;
    if (!receive_message(flow->near, &message)) return;
    flow->waits.end(now());
  } while (true);
}

void TcpFlows::answer(Flow* flow) {
  set_up_thread("tcp-answer", kReceivePriority);
  std::array<char, kMessageBytes> message{};
  while (receive_message(flow->far, &message)) {
    if (!send_all(flow->far, message.data(), message.size())) return;
  }
}

void TcpFlows::pour(Flow* flow) {
  set_up_thread("tcp-pour", kSendPriority);
  const std::vector<char> chunk(kChunkBytes);
  do rest_while_inactive();
  while (send_all(flow->near, chunk.data(), chunk.size()));
}

void TcpFlows::drink(Flow* flow) {
  set_up_thread("tcp-drink", kReceivePriority);
  std::vector<char> chunk(4 * kChunkBytes);
  while (recv(flow->far, chunk.data(), chunk.size(), 0) > 0) {
    const Nanoseconds at = now();
    flow->waits.end(at);
    flow->waits.begin(at);
  }
}

void TcpFlows::report(Json& json) {
  json.open('{');
  for (const auto& flow : flows_) {
    json.key(flow->name);
    flow->waits.report(json);
  }
  json.close('}');
}

}  // namespace faild::bench
