// What the stream's receiver has seen: the arrivals and their gaps; declared in stream.h.
#include "stream.h"

namespace faild::bench {

Arrivals::Arrivals() : journey_(1 << 20) {
  for (auto* rows : {&gaps_, &losses_, &late_, &paths_}) rows->reserve(1024);
}

void Arrivals::add_row(std::vector<Row>& rows, Row row) {
  if (rows.size() < kRoom) rows.push_back(row);
}

void Arrivals::add(const StreamPacket& packet, Nanoseconds arrived, uint32_t interface) {
  received_++;
  journey_.add(arrived - packet.sent);
  if (started_ && arrived - last_arrived_ >= kShortestGap) {
    add_row(gaps_, {{last_arrived_, arrived, 0, 0}});
  }
  if (interface != interface_) add_row(paths_, {{arrived, interface, 0, 0}});
  interface_ = interface;
  note_order(packet, arrived);
  last_arrived_ = arrived;
  started_ = true;
}

void Arrivals::note_order(const StreamPacket& packet, Nanoseconds arrived) {
  const auto ahead = static_cast<int32_t>(packet.sequence - next_);
  if (!started_ || ahead >= 0) {
    if (started_ && ahead > 0) add_row(losses_, {{next_, ahead, last_sent_, packet.sent}});
    next_ = packet.sequence + 1;
    last_sent_ = packet.sent;
  } else {
    add_row(late_, {{packet.sequence, arrived, 0, 0}});
  }
}

void Arrivals::report_rows(Json& json, const char* name, std::vector<Row>& rows, size_t columns) {
  json.key(name).open('[');
  for (const Row& row : rows) {
    json.open('[');
    for (size_t i = 0; i < columns; i++) json.number(row.values[i]);
    json.close(']');
  }
  json.close(']');
  rows.clear();
}

void Arrivals::report(Json& json) {
  json.open('{').field("received", received_);
  report_rows(json, "gaps", gaps_, 2);
  report_rows(json, "losses", losses_, 4);
  report_rows(json, "late", late_, 2);
  report_rows(json, "paths", paths_, 2);
  json.key("journey");
  journey_.report(json);
  json.close('}');
  received_ = 0;
}

}  // namespace faild::bench
