#include "cutter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <sys/mman.h>

#include "netns.h"

namespace faild::bench {
namespace {

constexpr size_t kMapBytes = (FAILD_CELL_PORTS + FAILD_CELL_LANS) * sizeof(faild_cell);

}  // namespace

Cutter::~Cutter() {
  heal_all();
  if (cells_ != nullptr) munmap(const_cast<faild_cell*>(cells_), kMapBytes);
  bpf_object__close(object_);
}

Failure Cutter::open(const std::string& network_namespace) {
  namespace_ = network_namespace;
  object_ = bpf_object__open_file(FAILD_CUT_OBJECT, nullptr);
  if (object_ == nullptr) return errno_sentence("cannot open " FAILD_CUT_OBJECT);
  if (bpf_object__load(object_) != 0) return errno_sentence("cannot load the cutter (needs root)");
  const int map = bpf_object__find_map_fd_by_name(object_, "cells");
  void* memory =
      mmap(nullptr, kMapBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, map, 0);
  if (memory == MAP_FAILED) return errno_sentence("cannot map the cutter's cells");
  cells_ = static_cast<volatile faild_cell*>(memory);
  return std::nullopt;
}

Failure Cutter::attach(int ifindex, bool ingress) {
  bpf_tc_hook hook{};
  hook.sz = sizeof hook;
  hook.ifindex = ifindex;
  hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  const int created = bpf_tc_hook_create(&hook);
  if (created != 0 && created != -EEXIST) return errno_sentence("cannot add clsact", -created);
  hook.attach_point = ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
  bpf_tc_opts options{};
  options.sz = sizeof options;
  options.prog_fd =
      bpf_program__fd(bpf_object__find_program_by_name(object_, ingress ? "from_host" : "to_host"));
  const int attached = bpf_tc_attach(&hook, &options);
  if (attached != 0) return errno_sentence("cannot attach the cutter", -attached);
  return std::nullopt;
}

Failure Cutter::add_port(const std::string& interface, __u32 lan) {
  if (lan >= FAILD_CELL_LANS) return "LAN number too large for the cutter";
  const NamespaceVisit visit(namespace_);
  if (visit.failure()) return visit.failure();
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) return errno_sentence("no interface " + interface + " in " + namespace_);
  if (index >= FAILD_CELL_PORTS) return "interface index of " + interface + " too large";
  for (const bool ingress : {true, false}) {
    if (Failure failure = attach(static_cast<int>(index), ingress)) return failure;
  }
  cells_[index].lan = lan;
  indexes_[interface] = index;
  indexes_["lan:" + std::to_string(lan)] = FAILD_CELL_PORTS + lan;
  return std::nullopt;
}

volatile faild_cell* Cutter::find(const std::string& name) const {
  const auto found = indexes_.find(name);
  return found == indexes_.end() ? nullptr : &cells_[found->second];
}

__u32 Cutter::port_index(const std::string& interface) const {
  const auto found = indexes_.find(interface);
  return found == indexes_.end() ? 0 : found->second;
}

void Cutter::heal_all() {
  for (const auto& [name, index] : indexes_) cells_[index].drop = 0;
}

Stored store(volatile faild_cell* cell, __u32 drop) {
  Stored stored;
  stored.before = now();
  cell->drop = drop;
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  stored.after = now();
  return stored;
}

}  // namespace faild::bench
