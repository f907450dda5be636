// What npm runs where faild is installed as a package: the addon that came with it serves if this
// machine can load it; else it is built here, which needs a C++20 compiler, make and python3.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function loads() {
  try {
    createRequire(import.meta.url)('pkg-prebuilds')(root, { name: 'faild', napi_versions: [9] });
    return true;
  } catch {
    return false;
  }
}

if (!loads()) {
  // npm has its own node-gyp, and puts it into the path of what it runs.
  const { status } = spawnSync('node-gyp', ['rebuild'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    process.stderr.write(
      "faild: building the addon failed; it needs a C++20 compiler, make and python3, and Node's headers\n",
    );
    process.exit(1);
  }
}
