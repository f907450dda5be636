// Watches one host's kernel from outside: at every route or rule change it notes the instant and
// asks the kernel where packets for one watched address go now. A *move* is when that answer
// changes.
//
// It does not matter who changed what, in which table or by which kind of route: the same watch
// serves every daemon.
//
// It also notes when the kernel tells the host's programs that an interface gained or lost its
// carrier, which is the earliest that a daemon could know.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "clock.h"
#include "json.h"
#include "netlink.h"

namespace faild::bench {

class RouteWatch {
 public:
  // Starts a thread that lives as long as the process.
  [[nodiscard]] Failure start(const std::string& network_namespace, const std::string& watched);
  // How many moves the next report will tell of.
  [[nodiscard]] int64_t moves();
  // {"notices", "overruns", "moves": [[at, interface index], ...], "carriers": [[at, index, has
  // one]]} since the last report. `moves` is never empty: it begins with the interface in force
  // then.
  void report(Json& json);

 private:
  struct Move {
    Nanoseconds at;
    OutInterface out;
  };
  struct Carrier {
    Nanoseconds at;
    OutInterface interface;
    bool present;
  };
  void run();
  void note_carriers(Nanoseconds at, const nlmsghdr* header, size_t size);
  void note(Nanoseconds at, bool overrun);

  Netlink events_, questions_;
  Address watched_;
  std::mutex mutex_;  // the lists below; held for well below a microsecond except while reporting
  std::vector<Move> moves_;
  std::vector<Carrier> carriers_;
  OutInterface out_ = 0;
  int64_t notices_ = 0, overruns_ = 0;
};

}  // namespace faild::bench
