#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

namespace faild::bench {

bool set_up_thread(const char* name, int priority, int cpu) {
  pthread_setname_np(pthread_self(), name);
  prctl(PR_SET_TIMERSLACK, 1);
  if (cpu != kAnyCpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(cpu), &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
  }
  return set_priority(priority);
}

bool set_priority(int priority) {
  const sched_param parameters{priority};
  return pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters) == 0;
}

}  // namespace faild::bench
