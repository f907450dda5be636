// The reactor's dealings with the kernel: effects carried out, news taken in.
#include <utility>

#include "io/reactor.h"

namespace faild {
namespace {

constexpr int kNoticeReadsPerRound = 64;

}  // namespace

// After each call of the engine. The kernel's answers to route operations are inputs like any
// other. All answers of a batch are told before what they ask for is carried out: one by one, each
// may ask for another whole batch, and what is outstanding would grow without bound.
void Reactor::carry_out() {
  perform_effects();
  while (results_count_ > 0) {
    const auto results = std::span(results_).first(std::exchange(results_count_, 0));
    for (const RouteResult& result : results) {
      engine_->on_route_result(now_, result, effects_);
      push_events();  // there is room for those of one step
    }
    perform_effects();
  }
}

void Reactor::perform_effects() {
  if (!effects_.route_ops.empty()) submit_routes();
  for (const SendPacket& packet : effects_.sends) {
    if (auto& socket = lans_[packet.lan.value].socket) socket->send(packet);
  }
  push_events();
  if (!effects_.tapped.empty()) push_tapped();
  if (effects_.events_lost > 0) {
    mailbox_.events_lost.fetch_add(effects_.events_lost, std::memory_order_relaxed);
    wake_wanted_ = true;
  }
  if (effects_.resync) resync_.want();
  effects_.clear();
}

// `now_` moves on, so that the engine learns when the kernel was done and not when it was asked.
void Reactor::submit_routes() {
  const auto& ops = effects_.route_ops;
  FAILD_CHECK(results_count_ == 0);
  writer_.submit({ops.data(), ops.size()}, std::span(results_).first(ops.size()));
  results_count_ = ops.size();
  writes_ += ops.size();
  tick();
}

void Reactor::push_events() {
  for (const ProbeDump& dump : effects_.dumps) (void)mailbox_.dumps.push(dump);
  effects_.dumps.clear();
  for (const Event& event : effects_.events) push_event(event);
  effects_.events.clear();
}

void Reactor::push_tapped() {
  for (TappedProbe& probe : effects_.tapped) {
    probe.lost_before = tapped_lost_;
    tapped_lost_ = mailbox_.tapped.push(probe) ? 0 : tapped_lost_ + 1;
  }
  tapped_lost_ += effects_.tapped_lost;
}

void Reactor::push_event(const Event& event) {
  if (event.kind == EventKind::kAnswer && event.id == kCleanupId) {
    cleaned_ = true;
    return;
  }
  if (!mailbox_.events.push(event)) mailbox_.events_lost.fetch_add(1, std::memory_order_relaxed);
  wake_wanted_ = true;
}

void Reactor::read_notices() {
  bool refresh = false;
  int reads = 0;
  notices_wait_ = false;
  for (; reads < kNoticeReadsPerRound; reads++) {
    const auto received = notices_.receive(buffer_);
    if (received.error != 0) {
      // News was lost: look at everything again. And once more when the socket is empty, for until
      // then the kernel drops all further news without a word (netlink_overrun).
      const bool lost = received.error == ENOBUFS;
      if (lost || news_lost_) {
        refresh = true;
        resync_.want();
      }
      news_lost_ = lost;
      if (lost) continue;
      break;
    }
    std::span<const uint8_t> bytes = received.bytes;
    NetlinkNotice notice;
    while (next_notice(&bytes, &notice)) {
      if (notice.kind == NetlinkNotice::Kind::kLink) take_link(notice.link, &refresh);
      if (notice.kind == NetlinkNotice::Kind::kAddress) {
        refresh = refresh || lans_.find(notice.address.ifindex, InterfaceName()).has_value();
      }
      if (notice.kind != NetlinkNotice::Kind::kEntry || !notice.entry.removed ||
          notice.port_id == writer_.port_id()) {
        continue;
      }
      tick();
      engine_->on_entry_removed(now_, notice.entry.entry.key, effects_);
      carry_out();
    }
  }
  if (refresh) refresh_lans();
}

// A change of carrier goes to the engine at once; everything else about an interface is read anew.
void Reactor::take_link(const LinkNotice& link, bool* refresh) {
  const auto lan = lans_.find(link.ifindex, link.name);
  if (!lan) return;
  LanConfig& config = lans_[*lan].config;
  if (link.removed && link.ifindex == config.ifindex) lans_[*lan].removed = true;
  if (link.removed || link.ifindex != config.ifindex || link.mac != config.mac ||
      !(link.name == config.interface)) {
    *refresh = true;
    return;
  }
  const bool carrier = link.admin_up && link.carrier;
  if (carrier == config.carrier) return;
  config.carrier = carrier;
  tick();
  engine_->on_link(now_, {LanIndex{static_cast<uint8_t>(*lan)}, carrier}, effects_);
  carry_out();
  resync_.want();  // IPv4 routes over a device that went down vanish without a message
}

void Reactor::refresh_lans() {
  const LanSet::Changes changes = lans_.refresh();
  for (size_t i = 0; i < lans_.size(); i++) {
    const LanIndex lan{static_cast<uint8_t>(i)};
    const uint32_t bit = 1U << i;
    tick();
    if ((changes.socket & bit) != 0) watch(i);
    // A lost carrier first: it moves traffic, and nothing that is told of the interface is as
    // urgent.
    const bool carrier = lans_[i].config.carrier;
    for (const bool first : {true, false}) {
      if ((changes.carrier & bit) != 0 && carrier != first) {
        engine_->on_link(now_, {lan, carrier}, effects_);
        carry_out();
      }
      if (first && (changes.interface & bit) != 0) {
        engine_->on_interface(now_, lan, lans_[i].config, effects_);
        carry_out();
      }
    }
    // Removing an address takes the routes with that source away, and a device all of its own.
    if (((changes.interface | changes.carrier) & bit) != 0) resync_.want();
  }
}

void Reactor::advance_resync() {
  if (!resync_.advance(now_, writes_)) return;
  tick();
  engine_->on_resync_begin(now_);
  for (const KernelEntry& entry : resync_.entries()) engine_->on_resync_entry(now_, entry);
  engine_->on_resync_end(now_, effects_);
  carry_out();
}

}  // namespace faild
