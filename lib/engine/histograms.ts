// What the engine's thread measures of itself and of the kernel, as it comes with every snapshot
// (`Histograms` of native/io/runtime.h). Shown by lib/metrics.

/** Lengths of time, counted by how long they were. */
export interface NativeHistogram {
  /** Ascending, inclusive. */
  boundsUs: number[];
  /** Those no longer than each bound, but longer than the one before; at last, all the rest. */
  counts: number[];
  sumUs: number;
}

/** Since the engine's start; of a virtual engine, which has no timer and no kernel, empty. */
export interface NativeHistograms {
  /** How much later than its timer the engine's thread ran, of every wait that reached its time. */
  timerLateness: NativeHistogram;
  /** From asking the kernel for a batch of route operations to its last answer. */
  netlinkRoundTrip: NativeHistogram;
}
