// What npm runs before it packs: the addon for this platform goes into the package, so that most
// who install it need no compiler. The others build theirs (install.mjs).
import { join } from 'node:path';
import { must, root } from './run.mjs';
import { setup } from './setup.mjs';

setup([]);
must('copying the addon', process.execPath, [
  join(root, 'node_modules/pkg-prebuilds/bin/copy.mjs'),
  '--baseDir=build/Release',
  '--source=faild.node',
  '--name=faild',
  '--napi_version=9',
  '--strip',
]);
