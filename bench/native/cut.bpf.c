// Runs on every port of the LANs' bridges (tc clsact, both directions) and asks the shared cells
// whether a frame passes. The hosts see nothing of it: no carrier changes, no queue fills, frames
// just do not arrive.
//
// bpf_helpers.h needs the types of linux/bpf.h, so the includes stay in this order.
// clang-format off
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
// clang-format on

#include "cells.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, FAILD_CELL_PORTS + FAILD_CELL_LANS);
  __type(key, __u32);
  __type(value, struct faild_cell);
} cells SEC(".maps");

static __always_inline int judge(__u32 port, __u32 direction) {
  volatile struct faild_cell* cell = bpf_map_lookup_elem(&cells, &port);
  if (!cell) return TC_ACT_OK;
  if (cell->drop & direction) return TC_ACT_SHOT;
  __u32 lan = FAILD_CELL_PORTS + cell->lan;
  cell = bpf_map_lookup_elem(&cells, &lan);
  if (cell && (cell->drop & direction)) return TC_ACT_SHOT;
  return TC_ACT_OK;
}

SEC("tc")
int from_host(struct __sk_buff* skb) { return judge(skb->ifindex, FAILD_DROP_FROM_HOST); }

SEC("tc")
int to_host(struct __sk_buff* skb) { return judge(skb->ifindex, FAILD_DROP_TO_HOST); }

char terms[] SEC("license") = "GPL";
