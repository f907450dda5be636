// Proves the route watch: changes a route itself, notes when, and lets the reader compare with what
// the watch saw.
#pragma once

#include <string>

#include "json.h"
#include "outcome.h"

namespace faild::bench {

// In `network_namespace`, adds and removes a host route for `destination` by `interface`, `count`
// times, 2 ms apart. "changes": [[asked, acknowledged], ...], two rows a time: the add, then the
// removal.
[[nodiscard]] Failure probe_routes(const std::string& network_namespace,
                                   const std::string& destination, const std::string& interface,
                                   int count, Json& json);

}  // namespace faild::bench
