// faild's version, from package.json: typed in one place only. Asked for by the package's own name,
// so that it is found from wherever the compiled files lie.
import { createRequire } from 'node:module';

const manifest = createRequire(import.meta.url)('faild/package.json') as { version: string };

export const version: string = manifest.version;
