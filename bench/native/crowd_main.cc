// faild-bench-crowd NETNS COUNT INTERVAL-US LAN...      LAN: INTERFACE=SUBNET, such as
// lana=10.1.0.0/16
//
// Plays COUNT peers (crowd.h) until its standard input ends. bench/crowd.ts starts it. Commands, a
// line each, answered by a line of JSON:
//
//   begin                          all hosts start; before, nobody speaks
//   play LAN FIRST COUNT MANNER    so many hosts behave so on LAN number LAN (crowd.h); answers
//                                  {"at": since when}
//   report                         packets since the last report
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <sstream>

#include "crowd.h"
#include "threads.h"

namespace faild::bench {
namespace {

constexpr Nanoseconds kStep =
    kMillisecond;  // peers whose turns fall into one step share its batches

Failure read_order(int argc, char** argv, CrowdOrder* order) {
  if (argc < 5) return "needs NETNS COUNT INTERVAL-US INTERFACE=SUBNET...";
  order->network_namespace = argv[1];
  order->count = std::strtoul(argv[2], nullptr, 10);
  order->interval = std::strtol(argv[3], nullptr, 10) * kMicrosecond;
  if (order->count == 0 || order->count > 16000) return "COUNT is 1 to 16000";
  if (order->interval < kMillisecond) return "INTERVAL-US is 1000 or more";
  for (int i = 4; i < argc; i++) {
    const std::string text = argv[i];
    const size_t equals = text.find('=');
    const auto subnet = parse_prefix(equals == std::string::npos ? "" : text.substr(equals + 1));
    if (!subnet || subnet->address.family != Family::kIpv4) return "not INTERFACE=SUBNET: " + text;
    order->lans.push_back({text.substr(0, equals), *subnet});
  }
  return std::nullopt;
}

// False: not a command, or one with wrong words.
bool obey(Crowd& crowd, std::istringstream& words, Json& json) {
  std::string command, manner_name;
  size_t lan = 0, first = 0, count = 0;
  words >> command;
  if (command == "begin") {
    crowd.begin();
  } else if (command == "report") {
    crowd.report(json);
  } else if (command == "play") {
    if (!(words >> lan >> first >> count >> manner_name)) return false;
    const auto manner = parse_manner(manner_name);
    if (!manner || lan >= crowd.lan_count() || first + count > crowd.host_count()) return false;
    crowd.set_manner(lan, first, count, *manner);
    json.field("at", now());
  } else {
    return false;
  }
  return true;
}

void answer(Crowd& crowd, const std::string& line) {
  std::istringstream words(line);
  Json json;
  json.open('{');
  if (!obey(crowd, words, json)) json.key("error").string("not a command: " + line);
  std::cout << json.close('}').text() << std::endl;
}

// Runs until standard input ends.
void run(Crowd& crowd) {
  set_up_thread("bench-crowd", kGeneratorPriority);
  Nanoseconds due = now();
  while (true) {
    due = std::max(due + kStep, now());
    sleep_until(due);
    crowd.step();
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 0) == 0) continue;
    std::string line;
    if (!std::getline(std::cin, line)) return;
    answer(crowd, line);
  }
}

}  // namespace
}  // namespace faild::bench

int main(int argc, char** argv) {
  faild::bench::CrowdOrder order;
  static faild::bench::Crowd crowd;
  auto failure = faild::bench::read_order(argc, argv, &order);
  if (!failure) failure = crowd.open(order);
  if (failure) {
    std::cerr << "faild-bench-crowd: " << *failure << std::endl;
    return 2;
  }
  std::cout << "{}" << std::endl;
  faild::bench::run(crowd);
  return 0;
}
