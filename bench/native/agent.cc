// faild-bench-agent: the bench's hands and eyes, outside the hosts under test. bench/agent.ts
// starts and drives it.
//
// One command a line on standard input, words apart by spaces; one line of JSON in answer to each,
// {"error": "..."} when it failed. Records pile up in memory and leave with `report` only, and a
// `trial` answers when it is over: near a cut nothing is printed, nobody is woken and no process
// starts.
//
//   port NETNS INTERFACE LAN            the cutter takes charge of a bridge port; LAN is a number
//   watch NAME NETNS ADDRESS            watch where NETNS sends packets for ADDRESS
//   stream NAME FROM-NETNS FROM TO-NETNS TO PORT
//   dialogue NAME CLIENT-NETNS CLIENT SERVER-NETNS SERVER PORT PERIOD-NS
//   bulk NAME FROM-NETNS FROM TO-NETNS TO PORT BYTES-PER-SECOND
//   tcp 0|1                             all of these rest or flow
//   sniff NETNS INTERFACE               every frame on a port from now on (sniffer.h)
//   frames                              what was sniffed since the last time
//   pace NANOSECONDS                    all streams, one packet each; 0 rests
//   stalls NANOSECONDS                  the stall watchers' period; 0 rests
//   trial NETNS CELL DROP WAIT-US HOLD-US SETTLE-US [PORT]
//                                       waits, cuts, holds, heals, settles. CELL: an interface or
//                                       lan:NUMBER; DROP: 1 what hosts send, 2 what they would
//                                       receive, 3 both. With PORT it loses its carrier right
//                                       after the cut and has it again right before the heal
//   probe NETNS ADDRESS INTERFACE COUNT changes a route itself (route_probe.h)
//   moved                               how many moves the next report will tell of
//   report                              everything since the last report
#include <sys/mman.h>

#include <iostream>
#include <map>
#include <memory>
#include <sstream>

#include "cutter.h"
#include "netns.h"
#include "route_probe.h"
#include "route_watch.h"
#include "sniffer.h"
#include "stall_watch.h"
#include "stream.h"
#include "tcp_flows.h"
#include "threads.h"

namespace faild::bench {
namespace {

using Words = std::istringstream;

// A port whose carrier goes and comes; one that was not opened does nothing.
class CarrierSwitch {
 public:
  [[nodiscard]] Failure open(const std::string& network_namespace, __u32 port) {
    const NamespaceVisit visit(network_namespace);
    if (visit.failure()) return visit.failure();
    if (port == 0) return "no such port in " + network_namespace;
    port_ = port;
    return netlink_.open(0);
  }
  [[nodiscard]] int set(bool up) { return port_ == 0 ? 0 : netlink_.set_link(port_, up); }

 private:
  Netlink netlink_;
  __u32 port_ = 0;
};

class Agent {
 public:
  void run();

 private:
  [[nodiscard]] Failure obey(const std::string& command, Words& words, Json& json);
  [[nodiscard]] Failure add_port(Words& words);
  [[nodiscard]] Failure add_watch(Words& words);
  [[nodiscard]] Failure add_stream(Words& words);
  [[nodiscard]] Failure add_dialogue(Words& words);
  [[nodiscard]] Failure add_bulk(Words& words);
  [[nodiscard]] Failure sniff(Words& words);
  [[nodiscard]] Failure pace(Words& words);
  [[nodiscard]] Failure let_flow(Words& words);
  [[nodiscard]] Failure watch_stalls(Words& words);
  [[nodiscard]] Failure run_trial(Words& words, Json& json);
  [[nodiscard]] Failure probe(Words& words, Json& json);
  void count_moves(Json& json);
  void report(Json& json);

  std::map<std::string, std::unique_ptr<Cutter>> cutters_;  // by namespace
  std::map<std::string, std::unique_ptr<RouteWatch>> watches_;
  Streams streams_;
  TcpFlows tcp_;
  Sniffer sniffer_;
  StallWatch stalls_;
  bool streaming_ = false, watching_ = false;
};

void Agent::run() {
  const bool realtime = set_up_thread("bench-agent", kCommandPriority);
  mlockall(MCL_CURRENT | MCL_FUTURE);
  std::cout << (realtime ? R"({"realtime":1})" : R"({"realtime":0})") << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    Words words(line);
    std::string command;
    words >> command;
    Json json;
    json.open('{');
    if (Failure failure = obey(command, words, json)) {
      json = Json();
      json.open('{').key("error").string(command + ": " + *failure);
    }
    std::cout << json.close('}').text() << std::endl;
  }
}

Failure Agent::obey(const std::string& command, Words& words, Json& json) {
  if (command == "port") return add_port(words);
  if (command == "watch") return add_watch(words);
  if (command == "stream") return add_stream(words);
  if (command == "dialogue") return add_dialogue(words);
  if (command == "bulk") return add_bulk(words);
  if (command == "tcp") return let_flow(words);
  if (command == "sniff") return sniff(words);
  if (command == "frames") return sniffer_.report(json), std::nullopt;
  if (command == "pace") return pace(words);
  if (command == "stalls") return watch_stalls(words);
  if (command == "trial") return run_trial(words, json);
  if (command == "probe") return probe(words, json);
  if (command == "moved") return count_moves(json), std::nullopt;
  if (command != "report") return "no such command";
  report(json);
  return std::nullopt;
}

Failure Agent::add_port(Words& words) {
  std::string network_namespace, interface;
  __u32 lan = 0;
  if (!(words >> network_namespace >> interface >> lan)) return "needs NETNS INTERFACE LAN";
  auto& cutter = cutters_[network_namespace];
  if (!cutter) {
    cutter = std::make_unique<Cutter>();
    if (Failure failure = cutter->open(network_namespace)) return failure;
  }
  return cutter->add_port(interface, lan);
}

Failure Agent::add_watch(Words& words) {
  std::string name, network_namespace, address;
  if (!(words >> name >> network_namespace >> address)) return "needs NAME NETNS ADDRESS";
  auto& watch = watches_[name];
  if (watch) return "there is a watch " + name + " already";
  watch = std::make_unique<RouteWatch>();
  return watch->start(network_namespace, address);
}

Failure Agent::add_stream(Words& words) {
  std::string name, from_namespace, from, to_namespace, to;
  uint16_t port = 0;
  if (!(words >> name >> from_namespace >> from >> to_namespace >> to >> port)) {
    return "needs NAME FROM-NETNS FROM TO-NETNS TO PORT";
  }
  if (streaming_) return "streams are added before the first `pace`";
  return streams_.add(name, from_namespace, from, to_namespace, to, port);
}

Failure Agent::add_dialogue(Words& words) {
  std::string name;
  TcpEnd client, server;
  uint16_t port = 0;
  Nanoseconds period = 0;
  if (!(words >> name >> client.network_namespace >> client.address >> server.network_namespace >>
        server.address >> port >> period)) {
    return "needs NAME CLIENT-NETNS CLIENT SERVER-NETNS SERVER PORT PERIOD-NS";
  }
  return tcp_.add_dialogue(name, client, server, port, period);
}

Failure Agent::add_bulk(Words& words) {
  std::string name;
  TcpEnd from, to;
  uint16_t port = 0;
  uint32_t rate = 0;
  if (!(words >> name >> from.network_namespace >> from.address >> to.network_namespace >>
        to.address >> port >> rate)) {
    return "needs NAME FROM-NETNS FROM TO-NETNS TO PORT BYTES-PER-SECOND";
  }
  return tcp_.add_bulk(name, from, to, port, rate);
}

Failure Agent::let_flow(Words& words) {
  int active = 0;
  if (!(words >> active)) return "needs 0 or 1";
  tcp_.set_active(active != 0);
  return std::nullopt;
}

Failure Agent::sniff(Words& words) {
  std::string network_namespace, interface;
  if (!(words >> network_namespace >> interface)) return "needs NETNS INTERFACE";
  return sniffer_.add(network_namespace, interface);
}

Failure Agent::pace(Words& words) {
  Nanoseconds period = 0;
  if (!(words >> period) || period < 0) return "needs NANOSECONDS";
  if (!streaming_) streams_.start();
  streaming_ = true;
  streams_.set_period(period);
  return std::nullopt;
}

Failure Agent::watch_stalls(Words& words) {
  Nanoseconds period = 0;
  if (!(words >> period) || period < 0) return "needs NANOSECONDS";
  if (!watching_) stalls_.start();
  watching_ = true;
  stalls_.set_period(period);
  return std::nullopt;
}

Failure Agent::run_trial(Words& words, Json& json) {
  std::string network_namespace, name;
  __u32 drop = 0;
  Nanoseconds wait = 0, hold = 0, settle = 0;
  if (!(words >> network_namespace >> name >> drop >> wait >> hold >> settle)) {
    return "needs NETNS CELL DROP WAIT-US HOLD-US SETTLE-US";
  }
  const auto cutter = cutters_.find(network_namespace);
  volatile faild_cell* cell = cutter == cutters_.end() ? nullptr : cutter->second->find(name);
  if (cell == nullptr) return "no port or LAN " + name + " in " + network_namespace;
  CarrierSwitch carrier;
  if (std::string port; words >> port) {
    Failure failure = carrier.open(network_namespace, cutter->second->port_index(port));
    if (failure) return failure;
  }
  set_priority(kCutPriority);
  Nanoseconds due = now() + wait * kMicrosecond;
  sleep_until(due);
  const Stored cut = store(cell, drop);
  const int down = carrier.set(false);
  sleep_until(due += hold * kMicrosecond);
  const int up = carrier.set(true);
  const Stored healed = store(cell, 0);
  set_priority(kCommandPriority);
  if (down != 0 || up != 0) return errno_sentence("cannot switch the carrier", down | up);
  sleep_until(due += settle * kMicrosecond);
  json.key("cut").row({cut.before, cut.after}).key("heal").row({healed.before, healed.after});
  json.field("end", now());
  return std::nullopt;
}

Failure Agent::probe(Words& words, Json& json) {
  std::string network_namespace, address, interface;
  int count = 0;
  if (!(words >> network_namespace >> address >> interface >> count)) {
    return "needs NETNS ADDRESS INTERFACE COUNT";
  }
  return probe_routes(network_namespace, address, interface, count, json);
}

void Agent::count_moves(Json& json) {
  int64_t moves = 0;
  for (const auto& [name, watch] : watches_) moves += watch->moves();
  json.field("moves", moves);
}

void Agent::report(Json& json) {
  json.field("at", now()).key("watches").open('{');
  for (const auto& [name, watch] : watches_) {
    json.key(name);
    watch->report(json);
  }
  json.close('}').key("streams");
  streams_.report(json);
  json.key("tcp");
  tcp_.report(json);
  if (!watching_) return;
  json.key("stalls");
  stalls_.report(json);
}

}  // namespace
}  // namespace faild::bench

int main() {
  static faild::bench::Agent agent;  // its threads use it until the process ends
  agent.run();
  return 0;
}
