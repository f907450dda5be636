// Aim: every length of time is counted once, in the bucket that Prometheus would put it into.
#include "base/histogram.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace faild {
namespace {

// The bucket that this length is counted in.
size_t bucket_of(Duration length) {
  Histogram histogram;
  histogram.add(length);
  const auto& counts = histogram.counts();
  REQUIRE(histogram.count() == 1);
  return static_cast<size_t>(std::find(counts.begin(), counts.end(), 1) - counts.begin());
}

}  // namespace

TEST_CASE("a bucket holds its bound and nothing longer") {
  const auto& bounds = Histogram::kBounds;
  CHECK(std::is_sorted(bounds.begin(), bounds.end()));
  CHECK(bucket_of(Duration()) == 0);
  for (size_t i = 0; i < bounds.size(); i++) {
    CHECK(bucket_of(bounds[i] - Duration::ns(1)) == i);
    CHECK(bucket_of(bounds[i]) == i);
    CHECK(bucket_of(bounds[i] + Duration::ns(1)) == i + 1);
  }
  CHECK(bucket_of(Duration::seconds(3600)) == bounds.size());
}

TEST_CASE("the sum and the count are those of all that was added") {
  Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.sum() == Duration());
  for (int i = 1; i <= 1000; i++) histogram.add(Duration::us(i));
  CHECK(histogram.count() == 1000);
  CHECK(histogram.sum() == Duration::us(500'500));
  CHECK(histogram.counts()[0] == 10);   // 1 .. 10 us
  CHECK(histogram.counts()[3] == 50);   // 51 .. 100 us
  CHECK(histogram.counts()[6] == 500);  // 501 .. 1000 us
  CHECK(histogram.counts().back() == 0);
}

}  // namespace faild
