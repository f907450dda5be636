// Desired against installed, and the least operations between them. route_store.h states the order.
#include "core/route_store.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace faild {
namespace {

// A refused operation is tried again after this long: long enough not to drown the kernel, short
// enough for an operator who has just repaired an interface.
constexpr Duration kRetryAfter = Duration::seconds(1);

// A metric beyond this is not ours: we number upwards from kFirstMetric and never come that far.
constexpr uint32_t kLastMetric = UINT32_MAX / 2;

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15ULL;
  return hash ^ (hash >> 29);
}

}  // namespace

RouteStore::RouteStore(size_t capacity, Memory* memory, uint64_t seed)
    : seed_(seed), entries_(capacity, memory), index_(std::bit_ceil(capacity * 2), 0, memory) {}

size_t RouteStore::bucket(const RouteKey& key) const {
  uint64_t words[2];
  std::memcpy(words, key.destination.address.bytes.data(), sizeof(words));
  uint64_t hash = mix(mix(mix(seed_, key.table), words[0]), words[1]);
  const uint64_t port = key.udp_port ? *key.udp_port + 1ULL : 0;
  hash = mix(hash,
             port << 16 | uint64_t{key.destination.length} << 8 | static_cast<uint64_t>(key.kind));
  const size_t mask = index_.size() - 1;
  size_t i = static_cast<size_t>(hash >> 16) & mask;
  while (index_[i] != 0 && entries_[index_[i] - 1].key != key) i = (i + 1) & mask;
  return i;
}

uint32_t RouteStore::find(const RouteKey& key) const {
  const uint32_t entry = index_[bucket(key)];
  return entry == 0 ? kNone : entry - 1;
}

uint32_t RouteStore::find_or_add(const RouteKey& key, uint32_t priority) {
  const size_t i = bucket(key);
  if (index_[i] != 0) return index_[i] - 1;
  uint32_t entry = free_;
  if (entry != kNone) {
    free_ = entries_[entry].next;
  } else if (used_ < entries_.size()) {
    entry = static_cast<uint32_t>(used_++);
  } else {
    return kNone;
  }
  Entry& e = entries_[entry];
  e = Entry{};
  e.live = true;
  e.key = key;
  // Unique, and beyond every metric that an earlier run has left: Linux's fib_info hash leaves the
  // gateway out, so that equal metrics would make ten thousand routes quadratic
  // (net/ipv4/fib_semantics.c).
  e.priority = priority != 0 ? priority : next_metric_++;
  index_[i] = entry + 1;
  return entry;
}

// Gives an agreed, empty place back, so that hosts that come and go do not fill the ledger.
void RouteStore::release(uint32_t entry) {
  Entry& e = entries_[entry];
  unlink_bucket(bucket(e.key));
  e.live = false;
  e.next = free_;
  free_ = entry;
}

// Deletion from a linearly probed table: move later members of the run back into the gap
// (Knuth 6.4, algorithm R).
void RouteStore::unlink_bucket(size_t i) {
  const size_t mask = index_.size() - 1;
  index_[i] = 0;
  for (size_t j = (i + 1) & mask; index_[j] != 0; j = (j + 1) & mask) {
    const uint32_t moved = index_[j];
    index_[j] = 0;
    index_[bucket(entries_[moved - 1].key)] = moved;
  }
}

bool RouteStore::want(const RouteKey& key, const RouteTarget& target, RoutePhase phase,
                      uint32_t tag, bool announce, uint32_t priority) {
  const uint32_t entry = find_or_add(key, priority);
  if (entry == kNone) {
    no_room_ = {no_room_.count + 1, key.destination};
    return false;
  }
  Entry& e = entries_[entry];
  if (e.desired && e.tag != kNoTag && e.tag != tag) return false;  // first claimant keeps it
  if (e.desired == target && (e.queued || e.in_flight || e.failed || e.installed == target)) {
    e.tag = tag;
    return e.installed != target;  // under way, or refused and waiting for its retry
  }
  e.desired = target;
  e.tag = tag;
  e.phase = phase;
  e.announce = announce;
  if (!agrees(e)) enqueue(entry);
  return !agrees(e);
}

bool RouteStore::want_none(const RouteKey& key, RoutePhase phase, uint32_t tag, bool announce) {
  const uint32_t entry = find(key);
  if (entry == kNone) return false;
  Entry& e = entries_[entry];
  if (e.desired && e.tag != kNoTag && e.tag != tag) return false;  // another's
  if (!e.desired && (e.queued || e.in_flight)) return true;
  e.desired.reset();
  e.tag = tag;
  e.phase = phase;
  e.announce = announce;
  if (!e.installed && !e.queued && !e.in_flight) {
    release(entry);
    return false;
  }
  if (e.installed) enqueue(entry);
  return e.installed.has_value();
}

std::optional<RouteTarget> RouteStore::installed(const RouteKey& key) const {
  const uint32_t entry = find(key);
  if (entry == kNone) return std::nullopt;
  return entries_[entry].installed;
}

bool RouteStore::wanted(const RouteKey& key) const {
  const uint32_t entry = find(key);
  return entry != kNone && entries_[entry].desired.has_value();
}

std::optional<uint32_t> RouteStore::owner(const RouteKey& key) const {
  const uint32_t entry = find(key);
  if (entry == kNone || !entries_[entry].desired) return std::nullopt;
  return entries_[entry].tag;
}

// Into the queue of its phase. What is queued already stays where it is: it leaves in the same
// emission, a little later.
void RouteStore::enqueue(uint32_t entry) {
  Entry& e = entries_[entry];
  if (e.queued || e.in_flight) return;
  e.queued = true;
  e.next = kNone;
  Queue& queue = queues_[static_cast<size_t>(e.phase)];
  if (queue.tail == kNone) {
    queue.head = entry;
  } else {
    entries_[queue.tail].next = entry;
  }
  queue.tail = entry;
  queued_++;
}

void RouteStore::emit(Instant now, Effects& effects) {
  (void)now;
  for (Queue& queue : queues_) {
    while (queue.head != kNone) {
      if (effects.route_ops.full() || outstanding_count_ == kOutstanding) return;
      const uint32_t entry = queue.head;
      queue.head = entries_[entry].next;
      if (queue.head == kNone) queue.tail = kNone;
      queued_--;
      entries_[entry].queued = false;
      submit(entry, effects);
    }
  }
}

void RouteStore::submit(uint32_t entry, Effects& effects) {
  Entry& e = entries_[entry];
  if (agrees(e)) {
    if (!e.desired) release(entry);
    return;
  }
  RouteOp op;
  op.kind = e.desired ? RouteOp::Kind::kSet : RouteOp::Kind::kRemove;
  op.id = next_id_++;
  op.key = e.key;
  if (e.desired) op.target = *e.desired;
  op.priority = e.priority;
  FAILD_CHECK(effects.route_ops.push(op));
  const size_t at = (outstanding_head_ + outstanding_count_++) % kOutstanding;
  outstanding_[at] = Outstanding{op.id, entry, e.desired};
  e.in_flight = true;
}

std::optional<RouteOutcome> RouteStore::on_result(Instant now, const RouteResult& result) {
  // Answers come in the order of the questions, so the first outstanding one is nearly always it.
  if (outstanding_count_ == 0 || outstanding_[outstanding_head_].id != result.id) {
    return std::nullopt;
  }
  const Outstanding done = outstanding_[outstanding_head_];
  outstanding_head_ = (outstanding_head_ + 1) % kOutstanding;
  outstanding_count_--;

  Entry& e = entries_[done.entry];
  e.in_flight = false;
  const bool removal = !done.target;
  const bool reached = reaches_aim(removal, result.error);
  RouteOutcome outcome{e.key, removal, reached ? 0 : result.error, e.refused, e.tag, e.announce};
  e.refused = !reached;
  if (reached) {
    e.installed = done.target;
    e.failed = false;
  } else {
    refused(now, done);
    return outcome;
  }
  if (!agrees(e)) {
    enqueue(done.entry);
    outcome.announce = false;  // superseded: the next operation reports
  } else {
    e.announce = false;
    if (!e.desired) release(done.entry);
  }
  return outcome;
}

// What is still asked for waits for its retry; what has been asked for meanwhile goes at once.
void RouteStore::refused(Instant now, const Outstanding& done) {
  Entry& e = entries_[done.entry];
  if (e.desired != done.target) {
    if (!agrees(e)) {
      enqueue(done.entry);
    } else if (!e.desired) {
      release(done.entry);
    }
    return;
  }
  e.failed = true;
  if (!retry_at_) retry_at_ = now + kRetryAfter;
}

void RouteStore::retry(Instant now) {
  if (!retry_at_ || now < *retry_at_) return;
  retry_at_.reset();
  for (size_t i = 0; i < used_; i++) {
    Entry& e = entries_[i];
    if (!e.live || !e.failed) continue;
    e.failed = false;
    if (!agrees(e)) enqueue(static_cast<uint32_t>(i));
  }
}

// Once is an accident and mended at once. Twice within the pause is somebody at work (`ip route
// flush` deletes until it finds nothing): a pause ends the race that we would run against them.
bool RouteStore::on_removed(Instant now, const RouteKey& key, bool in_vain) {
  const uint32_t entry = find(key);
  if (entry == kNone || !entries_[entry].installed) return false;
  Entry& e = entries_[entry];
  e.installed.reset();
  if (!e.desired) {
    if (!e.queued && !e.in_flight) release(entry);
    return false;
  }
  e.phase = RoutePhase::kMove;
  const bool again = e.repaired_at && now - *e.repaired_at < kRepairPause;
  if (!in_vain) e.repaired_at = now;
  if (again || in_vain) {
    e.failed = true;
    retry_at_ = std::min(retry_at_.value_or(now + kRepairPause), now + kRepairPause);
    return false;
  }
  enqueue(entry);
  return true;
}

void RouteStore::follow_interface(uint32_t from, uint32_t to) {
  for (uint32_t i = 0; i < used_; i++) {
    Entry& e = entries_[i];
    if (!e.live || !e.desired || e.tag != kNoTag || e.key.kind != RouteKey::Kind::kRoute) continue;
    for (uint32_t* index : {&e.desired->out_ifindex, &e.desired->also_direct_ifindex}) {
      if (*index == from) *index = to;
    }
    if (!agrees(e)) enqueue(i);
  }
}

void RouteStore::resync_begin() {
  for (size_t i = 0; i < used_; i++) entries_[i].seen = false;
}

void RouteStore::resync_entry(const KernelEntry& entry) {
  const uint32_t i = find_or_add(entry.key, entry.priority);
  if (i == kNone) return;
  if (entry.priority >= next_metric_ && entry.priority < kLastMetric) {
    next_metric_ = entry.priority + 1;
  }
  Entry& e = entries_[i];
  e.seen = true;
  // An operation under way answers for itself; a foreign metric is a second route beside ours, so
  // it becomes ours.
  if (e.in_flight) return;
  if (entry.priority != 0) e.priority = entry.priority;
  e.installed = entry.target;
}

uint32_t RouteStore::resync_end() {
  uint32_t repairs = 0;
  for (size_t i = 0; i < used_; i++) {
    Entry& e = entries_[i];
    if (!e.live || e.in_flight) continue;
    if (!e.seen) e.installed.reset();
    if (e.desired && !agrees(e) && !e.queued) {
      e.phase = RoutePhase::kMove;
      enqueue(static_cast<uint32_t>(i));
      repairs++;
    }
    if (!e.desired && !e.installed && !e.queued) release(static_cast<uint32_t>(i));
  }
  return repairs;
}

}  // namespace faild
