// No JavaScript of ours is hot, so V8's optimizing compiler would only take memory and bursts of CPU
// beside the engine's thread: 81 instead of 86 MB of a daemon that idles, 84 instead of 94 after
// twenty scrapes (resident, a pair, Node 20.20). A status of 4000 peers takes as long as before.
// Imported first by cli.ts, before anything is compiled; a library's process is its own matter.
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-opt');
