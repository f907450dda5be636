// The memory that the cutter and its BPF program share: one array of cells, mapped into the
// cutter's address space.
//
// Included by C (clang -target bpf) and C++. A cell per bridge port, by interface index, then a
// cell per LAN; a frame passes when neither its port's cell nor its LAN's cell drops its direction.
// A cut is one 32-bit store.
#pragma once

#include <linux/types.h>

enum {
  FAILD_CELL_PORTS = 16384,  // interface indexes below this
  FAILD_CELL_LANS = 16,
  FAILD_DROP_FROM_HOST = 1,  // entering the bridge by this port
  FAILD_DROP_TO_HOST = 2,    // leaving the bridge by this port
};

struct faild_cell {
  __u32 drop;  // bits above
  __u32 lan;   // ports: which LAN's cell speaks for them too
};
