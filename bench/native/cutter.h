// Cuts and heals LANs and links silently, in one store, at an instant that is known to well below
// 50 us.
//
// One Cutter serves the bridges of one network namespace. The programs and the map go away with the
// namespace; every cell heals when the process ends only if it says so, which the agent does.
#pragma once

#include <linux/types.h>

#include <map>
#include <string>

#include "cells.h"
#include "clock.h"
#include "outcome.h"

struct bpf_object;

namespace faild::bench {

// When a store took place: not before `before`, not after `after`.
struct Stored {
  Nanoseconds before = 0;
  Nanoseconds after = 0;
};

class Cutter {
 public:
  Cutter() = default;
  ~Cutter();
  Cutter(const Cutter&) = delete;
  Cutter& operator=(const Cutter&) = delete;

  // Loads the program into `network_namespace`, where the bridges are.
  [[nodiscard]] Failure open(const std::string& network_namespace);
  // Puts both programs on a bridge port; the port belongs to LAN number `lan`.
  [[nodiscard]] Failure add_port(const std::string& interface, __u32 lan);

  // Where the port's programs are; 0: unknown.
  [[nodiscard]] __u32 port_index(const std::string& interface) const;
  // A port by its interface's name, or a LAN as "lan:<number>"; nullptr: unknown.
  [[nodiscard]] volatile faild_cell* find(const std::string& name) const;
  void heal_all();

 private:
  [[nodiscard]] Failure attach(int ifindex, bool ingress);
  std::string namespace_;
  bpf_object* object_ = nullptr;
  volatile faild_cell* cells_ = nullptr;
  std::map<std::string, __u32> indexes_;
};

[[nodiscard]] Stored store(volatile faild_cell* cell, __u32 drop);

}  // namespace faild::bench
