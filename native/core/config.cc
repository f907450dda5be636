// What the configuration's values are on the wire. Called by the addon when it builds an
// EngineConfig.
#include "core/config.h"

namespace faild {

uint32_t cluster_hash(std::string_view name) {
  // FNV-1a (Fowler, Noll, Vo): its offset basis and prime for 32 bits. It tells clusters apart; it
  // is no secret.
  uint32_t hash = 2166136261U;
  for (const char c : name) {
    hash = (hash ^ static_cast<uint8_t>(c)) * 16777619U;
  }
  return hash;
}

}  // namespace faild
